"""BattLeDIM's leaks: the list `leaks.csv` and the generator's configuration, read and written.

What a leak is belongs in `hydraulics.towns.leaks`, its flow in `truth`.
"""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import yaml

from leak_assets.errors import InputError
from leak_assets.exchange.text_file import read_rows, read_text
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.system.clock import parse_utc

from .names import LEAK_COLUMNS, MINUTE_FORMAT

_ROW = (
    f"A row is {', '.join(LEAK_COLUMNS)};"
    " times as 2019-01-31 23:55, the diameter in metres with a decimal point"
)


def read_leak_list(path: Path) -> tuple[Leak, ...]:
    """Return the leaks of `leaks.csv`, in file order.

    Rows are `linkID,startTime,endTime,diameter_m,type,peakTime`; empty lines, `#` comments and a
    heading are skipped.

    Raises
    ------
    InputError
        A missing file, or a row that cannot be read.
    """
    return tuple(
        _from_row(content, path, number)
        for number, content in read_rows(path, heading=LEAK_COLUMNS[0])
    )


def leak_list(leaks: Iterable[tuple[Leak, datetime]]) -> str:
    """Return the text of `leaks.csv` for leaks and the end of each.

    Raises
    ------
    InputError
        A leak is at a node: the format knows pipes only.
    """
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(LEAK_COLUMNS)
    for leak, end_at in leaks:
        if leak.link_id is None:
            raise InputError(
                f"leak at {leak.place}: the scorer knows leaks at pipes only",
                remedy="Put the leak at a pipe",
            )
        start, end, peak = (t.strftime(MINUTE_FORMAT) for t in (leak.start_at, end_at, leak.peak))
        table.writerow([leak.link_id, start, end, f"{leak.diameter_m:.6g}", leak.kind, peak])
    return rows.getvalue()


def read_configuration(path: Path) -> tuple[Leak, ...]:
    """Read the leaks of a dataset generator's configuration.

    The key `leakages` holds a list. An entry is text as in BattLeDIM's `dataset_configuration`
    (`linkID, startTime, endTime, leakDiameter (m), leakType, peakTime`) or a mapping as in
    LDIMBenchmark's (`linkID`, `startTime`, `peakTime`, `endTime`, `leakDiameter` in m); a
    mapping is incipient when its peak is later than its start. Empty entries, which BattLeDIM's
    comment row leaves behind, are passed over. A file of BattLeDIM's bare rows, which its scoring
    code names `leakages_info.yalm`, is read as such.

    Raises
    ------
    InputError
        No YAML, no list `leakages`, or an entry that cannot be read; names the row.
    """
    try:
        # Composed, not loaded: nodes know their rows.
        root = yaml.compose(read_text(path), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise InputError(
            f"this is no YAML: {error.problem}",
            remedy="Mend the file",
            file=path,
            row=None if error.problem_mark is None else error.problem_mark.line + 1,
        ) from error
    if isinstance(root, yaml.ScalarNode):
        return read_leak_list(path)
    entries = None
    if isinstance(root, yaml.MappingNode):
        entries = next((value for key, value in root.value if key.value == "leakages"), None)
    if entries is None or (
        not isinstance(entries, yaml.SequenceNode) and entries.value not in ("", "null", "~")
    ):
        raise InputError(
            "there is no list `leakages`",
            remedy=f"Write `leakages:` with one entry per leak. {_ROW}",
            file=path,
            row=None if entries is None else entries.start_mark.line + 1,
        )
    leaks = []
    for entry in entries.value if isinstance(entries, yaml.SequenceNode) else ():
        number = entry.start_mark.line + 1
        if isinstance(entry, yaml.MappingNode):
            leaks.append(_from_mapping({k.value: v.value for k, v in entry.value}, path, number))
        elif isinstance(entry, yaml.ScalarNode) and entry.value in ("", "null", "~"):
            continue
        else:
            leaks.append(_from_row(str(entry.value), path, number))
    return tuple(leaks)


def _from_row(text: str, path: Path, number: int) -> Leak:
    try:
        pipe, start, end, diameter, kind, peak = (cell.strip() for cell in text.split(","))
        return Leak(pipe, parse_utc(start), float(diameter), kind, parse_utc(peak), parse_utc(end))
    except ValueError as error:
        raise InputError(
            f"cannot read {text!r}: {getattr(error, 'problem', error)}",
            remedy=_ROW,
            file=path,
            row=number,
        ) from error


def _from_mapping(entry: dict[str, str], path: Path, number: int) -> Leak:
    try:
        start_at, peak_at, end_at = (
            parse_utc(entry[name]) for name in ("startTime", "peakTime", "endTime")
        )
        diameter_m = float(entry["leakDiameter"])
        kind = "incipient" if peak_at > start_at else "abrupt"
        return Leak(entry["linkID"], start_at, diameter_m, kind, peak_at, end_at)
    except KeyError as error:
        raise InputError(
            f"the leak has no {error.args[0]}",
            remedy="Write linkID, startTime, peakTime, endTime and leakDiameter",
            file=path,
            row=number,
        ) from error
    except InputError as error:
        raise InputError(error.problem, remedy=error.remedy, file=path, row=number) from error
    except ValueError as error:
        raise InputError(
            f"cannot read the leak: {error}",
            remedy="Write times as 2018-01-31 13:30 and leakDiameter in metres",
            file=path,
            row=number,
        ) from error
