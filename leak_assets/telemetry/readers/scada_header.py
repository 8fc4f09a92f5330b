"""Name and header of an export: which quantity and which sensors it holds.

The lines below the header belong to `scada_csv`.
"""

import re
from collections import Counter
from pathlib import Path

from leak_assets.telemetry.sources.source_bytes import read_text

from .limits import MOST_COLUMNS, too_large
from .problems import Problem, shown, whole_file

TIME_COLUMN = "Timestamp"
SEPARATOR = ";"
# What a quantity is called in the names of files; `exchange.battledim.names` goes by it too.
QUANTITY_WORDS = {
    "pressure": "Pressures",
    "flow": "Flows",
    "level": "Levels",
    "demand": "Demands",
}
# A number may stand after the quantity: copies of one file name (`-2`, ` (1)`).
_QUANTITY = re.compile(
    rf"_({'|'.join(QUANTITY_WORDS.values())})(?:[-_ ]?\(?\d+\)?)?\.(?:csv(?:\.gz)?|parquet)$",
    re.IGNORECASE,
)


def quantity_of(file_name: str) -> str | None:
    """Return the quantity that a file name ends in (`…_Pressures.csv.gz`), or None."""
    found = _QUANTITY.search(file_name)
    return found.group(1).lower().removesuffix("s") if found else None


def read_header(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return quantity and sensor names of an export, from its name and first line only.

    Raises
    ------
    InputError
        If the file is missing, empty or has no usable header.
    """
    try:
        with path.open("rb") as file:
            start = file.read(1 << 20)
    except OSError as error:
        raise missing_file(error).error(path) from error
    text = read_text(start)
    header = text if isinstance(text, Problem) else sensor_names(text.data)
    quantity = quantity_of(path.name)
    if isinstance(header, Problem):
        raise header.error(path)
    if quantity is None:
        raise unknown_quantity(path.name).error(path)
    return quantity, tuple(header)


def missing_file(error: OSError) -> Problem:
    """Return the problem of a file that cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return whole_file("missing_file", "no such file", "Check the path and deliver the file")
    return whole_file(
        "unreadable_file",
        f"the file cannot be read ({error.strerror or error.__class__.__name__})",
        "Check its permissions and that it is a plain file",
    )


def unknown_quantity(name: str) -> Problem:
    """Return the problem of a file name that does not end in a quantity."""
    return whole_file(
        "unknown_quantity",
        f"the name `{shown(name)}` does not say what was measured",
        "Let the name end in `_Pressures`, `_Flows`, `_Levels` or `_Demands`",
    )


def sensor_names(data: bytes) -> list[str] | Problem:
    """Return the sensor names of the first line of an export."""
    # Not `strip`: it would copy a file of half a gigabyte.
    if not data or data.isspace():
        return whole_file("empty_file", "the file is empty", "Export it again")
    end = data.find(b"\n")
    line = data[: end if end >= 0 else len(data)].decode().rstrip("\r")
    if line.count(SEPARATOR) > MOST_COLUMNS:
        return too_large(f"{MOST_COLUMNS:,} columns")
    fields = [name.strip() for name in line.split(SEPARATOR)]

    def wrong(problem: str, remedy: str, column: str | None = None) -> Problem:
        return whole_file("wrong_header", problem, remedy, row=1, column=column, text=line)

    expected = f"Write the header as `{TIME_COLUMN};id;id…`"
    separator = next((s for s in ",\t|" if s in line), "") if len(fields) == 1 else ""
    name, count = Counter(fields).most_common(1)[0]
    if separator:
        problem = wrong(
            f"the header `{shown(line)}` is separated by `{shown(separator)}`, not `;`", expected
        )
    elif fields[0].casefold() != TIME_COLUMN.casefold():
        problem = wrong(
            f"the first column is `{shown(fields[0])}`, not `{TIME_COLUMN}`",
            expected,
            fields[0] or "1",
        )
    elif len(fields) == 1:
        problem = wrong(f"the header `{shown(line)}` names no sensor", expected, TIME_COLUMN)
    elif "" in fields:
        number = fields.index("") + 1
        problem = wrong(f"column number {number} has no name", "Remove it, or name its sensor")
    elif count > 1:
        problem = wrong(
            f"the column `{shown(name)}` is there {count} times", "Keep one of them", name
        )
    else:
        return fields[1:]
    return problem
