"""One delivered file, whatever its format, to readings and quarantine.

Only the choice of the reader and the fate of whole-file problems are decided here.
"""

import hashlib
from datetime import date, datetime
from pathlib import Path

from leak_assets.settings import FIRST_DAY
from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.telemetry.sources.source_bytes import read_whole

from .cells import Collector, Source
from .leakdb import LEAKDB_FILE, leakdb_series, leakdb_tags
from .limits import TOO_LARGE
from .mapped import parse_mapped
from .mapping import SiteMapping
from .parquet import parse_parquet
from .parsed_file import ParsedFile
from .problems import Problem, shown, whole_file
from .scada_csv import parse_scada_csv
from .scada_header import missing_file
from .times import TimeRange

__all__ = ["ENDINGS", "MAX_AHEAD_S", "ParsedFile", "format_of", "parse_file"]

ENDINGS = (".csv", ".csv.gz", ".parquet")
# Clocks of loggers run ahead a little; an hour more is another day's data or a wrong year.
MAX_AHEAD_S = 3600.0


def parse_file(
    path: Path,
    *,
    network: str,
    layout: SensorLayout,
    contract: Contract,
    received_at: datetime,
    file_path: str | None = None,
    first_day: date = FIRST_DAY,
    max_ahead_s: float = MAX_AHEAD_S,
    mapping: SiteMapping | None = None,
    refuses_impossible: bool = False,
    strict: bool = False,
) -> ParsedFile:
    """Read one delivered file.

    Parameters
    ----------
    path
        The file: BattLeDIM CSV (`.csv`, `.csv.gz`), `.parquet`, a series of LeakDB, or what
        `mapping` knows.
    network, layout, contract
        What it is read against: which sensors exist, in which unit they deliver, which values
        are possible.
    received_at
        When the platform took the file, UTC.
    file_path
        Its name in tables and messages; `<network>/<file name>` by default.
    first_day, max_ahead_s
        Time stamps before this day, or later than this many seconds after `received_at`, are
        quarantined.
    mapping
        How the site's own exports are laid out; files that it does not name are read as the
        formats that the platform knows.
    refuses_impossible
        Quarantine values outside of the contract's range: for those who use what is read as it
        is. Validation flags them instead.
    strict
        Raise what is wrong with the file as a whole, instead of returning it as quarantine.

    Returns
    -------
    ParsedFile
        Accepted readings (values in the delivered unit), quarantine and counts. Never raises for
        what is in the file unless `strict`.

    Raises
    ------
    InputError
        With `strict`, if nothing of the file can be used (missing, wrong header, …).
    """
    file_path = file_path or f"{network}/{path.name}"
    shown_as = str(path) if strict else file_path
    try:
        whole = read_whole(path)
    except OSError as error:
        whole = missing_file(error)
    raw, problem = (b"", whole) if isinstance(whole, Problem) else (whole, None)
    source = Source(
        raw=raw,
        name=path.name,
        shown_as=shown_as,
        file_path=file_path,
        sha256=_sha256(path, raw, problem),
        network=network,
        layout=layout,
        contract=contract,
        times=TimeRange(first_day, received_at, max_ahead_s),
        refuses_impossible=refuses_impossible,
    )
    parsed = problem or _read(source, mapping)
    if not isinstance(parsed, Problem):
        return parsed
    if strict:
        raise parsed.error(shown_as)
    collector = Collector(source)
    collector.add_problems([parsed])
    return collector.result(format_of(path.name))


def _sha256(path: Path, raw: bytes, problem: Problem | None) -> str:
    if problem is None:
        return hashlib.sha256(raw).hexdigest()
    if problem.reason == TOO_LARGE:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return ""


def format_of(name: str) -> str:
    """Return `csv`, `csv.gz` or `parquet` by the ending of a file name; empty for others."""
    lower = name.lower()
    return next((e.lstrip(".") for e in reversed(ENDINGS) if lower.endswith(e)), "")


def _read(source: Source, mapping: SiteMapping | None) -> ParsedFile | Problem:
    ending = format_of(source.name)
    if ending and mapping is not None and (file := mapping.file(source.name)) is not None:
        return parse_mapped(source, file, mapping.tags)
    if ending and (series := leakdb_series(source.name)) is not None:
        return parse_mapped(source, LEAKDB_FILE, leakdb_tags(series, source.layout))
    match ending:
        case "csv" | "csv.gz":
            return parse_scada_csv(source)
        case "parquet":
            return parse_parquet(source)
        case _:
            return whole_file(
                "unsupported_format",
                f"`{shown(source.name)}` is in no format that can be read",
                f"Deliver {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}",
            )
