"""From a reading back to the line of the file, or the message, that it came with.

The warehouse says which line; the delivered file, where it is still kept, shows it.
"""

import gzip
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.telemetry.ledger import days_from_text
from leak_assets.telemetry.readers.parsed_file import FILE_SOURCE
from leak_assets.telemetry.sources.landing import DONE
from leak_assets.warehouse import Warehouse

from .trace import Trace, day_of_event

RAW = "telemetry.raw_readings"
READINGS = "telemetry.readings"
LEDGER = "telemetry.ingest_ledger"
EVIDENCE = "incidents.evidence"
_LONGEST_LINE = 2000


@dataclass(frozen=True)
class RawRow:
    """One delivered value, and where it was delivered.

    Parameters
    ----------
    row
        Row of `telemetry.raw_readings`.
    is_used
        Whether the reading rests on it: of corrections one counts.
    delivery, sha256
        File below the landing zone, or batch of the stream, and hash of its content; None where
        the ledger does not know it.
    line
        Line of a file (header = 1); of a stream the device's own number, or the place in the
        batch.
    message
        Name of the stream's message, `<topic>@<id>:<number in it>`; empty of a line of a file.
    header, text
        First line of the file, and the line itself; None where the file is not kept, is no
        text, or has changed.
    """

    row: Mapping[str, Any]
    is_used: bool
    delivery: str | None
    sha256: str | None
    line: int
    message: str = ""
    header: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class ReadingTrace:
    """A reading with all that was delivered for its sensor and time, in order of receipt."""

    reading: Mapping[str, Any] | None
    raw: Sequence[RawRow]


def trace_reading(
    warehouse: Warehouse,
    settings: Settings,
    network: str,
    sensor_id: str,
    at: datetime,
    *,
    quantity: str | None = None,
) -> ReadingTrace:
    """Return where the reading of a sensor at a time comes from.

    Parameters
    ----------
    at
        Time of the reading; without offset it is UTC.
    quantity
        `pressure`, `flow`, `level` or `demand`, where one sensor has several.

    Raises
    ------
    InputError
        There is no reading of the sensor at that time (the nearest is named), or it has several
        quantities and none was chosen.
    """
    moment = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    day = {"date": moment.date().isoformat(), "network": network}
    here = (pl.col("sensor_id") == sensor_id) & (pl.col("ts_utc") == moment)
    if quantity is not None:
        here &= pl.col("quantity") == quantity
    readings, raw = warehouse.read(READINGS, day), warehouse.read(RAW, day)
    found = None if readings is None else readings.filter(here)
    delivered = None if raw is None else raw.filter(here).sort("received_at", "sequence")
    if (found is None or found.is_empty()) and (delivered is None or delivered.is_empty()):
        raise _no_reading(raw, network, sensor_id, moment)
    frames = [frame for frame in (found, delivered) if frame is not None]
    quantities = sorted({name for frame in frames for name in frame["quantity"]})
    if len(quantities) > 1:
        raise InputError(
            f"{sensor_id} measures {' and '.join(quantities)}",
            remedy=f"Choose one: `--quantity {quantities[0]}`",
        )
    reading = None if found is None or found.is_empty() else found.row(0, named=True)
    rows = [] if delivered is None else delivered.to_dicts()
    ledger = warehouse.scan(LEDGER, network=network).collect() if rows else None
    return ReadingTrace(reading, [_raw_row(settings, row, reading, ledger) for row in rows])


def _raw_row(
    settings: Settings,
    row: Mapping[str, Any],
    reading: Mapping[str, Any] | None,
    ledger: pl.DataFrame | None,
) -> RawRow:
    is_used = reading is not None and (reading.get("source"), reading.get("message_id")) == (
        row["source"],
        row["message_id"],
    )
    is_file, line = row["source"] == FILE_SOURCE, int(row["sequence"])
    message = "" if is_file else str(row["message_id"])
    known = None if ledger is None else _entries(ledger, row)
    if known is None or known.is_empty():
        return RawRow(row, is_used, None, None, line, message)
    entry = known.row(0, named=True)
    header, text = None, None
    if is_file and str(entry["format"]).startswith("csv"):
        header, text = _line_of(kept_file(settings, entry), line)
    delivery, sha256 = entry["file_path"], entry["file_sha256"]
    return RawRow(row, is_used, delivery, sha256, line, message, header, text)


def _entries(ledger: pl.DataFrame, row: Mapping[str, Any]) -> pl.DataFrame:
    """Return the ledger's rows of the delivery that a raw row came with.

    A line of a file names the file's hash. A message names itself: it came with the batch of its
    stream that has its time of receipt and its day; batches received together share no day.
    """
    if row["source"] == FILE_SOURCE:
        return ledger.filter(file_sha256=str(row["message_id"]).rpartition(":")[0])
    together = ledger.filter(source=row["source"], received_at=row["received_at"])
    day = row["ts_utc"].date()
    has_day = [day in days_from_text(text) for text in together["days"]]
    return together.filter(pl.Series(has_day, dtype=pl.Boolean))


def kept_file(settings: Settings, entry: Mapping[str, Any]) -> Path | None:
    """Return the delivered file of a row of the ledger; None where it is not kept as it was."""
    folder, _, name = str(entry["file_path"]).rpartition("/")
    done = settings.landing_dir / folder / DONE / entry["received_at"].date().isoformat()
    begin = name.partition(".")[0]
    if not done.is_dir():
        return None
    candidates = [path for path in sorted(done.iterdir()) if path.name.startswith(begin)]
    for path in candidates:
        if path.stat().st_size == entry["size_bytes"] and _sha256(path) == entry["file_sha256"]:
            return path
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line_of(path: Path | None, line: int) -> tuple[str | None, str | None]:
    """Return the first line of a text file and the one with a number, from 1."""
    if path is None:
        return None, None
    with _opened(path) as file:
        header = file.readline()
        rest = islice(file, max(line - 2, 0), max(line - 1, 0))
        text = header if line == 1 else next(rest, None)
    return _shown(header), None if text is None else _shown(text)


def _opened(path: Path) -> TextIO:
    if path.name.lower().endswith(".gz"):
        # A text wrapper closes what it wraps.
        return io.TextIOWrapper(gzip.GzipFile(path), errors="replace")
    return path.open(errors="replace")


def _shown(line: str) -> str:
    return line.rstrip("\r\n")[:_LONGEST_LINE]


def _no_reading(
    raw: pl.DataFrame | None, network: str, sensor_id: str, moment: datetime
) -> InputError:
    if raw is None:
        remedy = f'`leak-assets sql "SELECT DISTINCT ts_utc::DATE FROM {RAW}"` lists the days'
    else:
        mine = raw.filter(pl.col("sensor_id") == sensor_id)
        if mine.is_empty():
            names = raw["sensor_id"].unique().sort().to_list()
            remedy = f"Sensors of that day are: {', '.join(names[:8])}{' …' * (len(names) > 8)}"
        else:
            times = mine["ts_utc"].unique().sort()
            nearest = min(times, key=lambda t: abs(t - moment))
            remedy = f"The nearest is at {nearest:%Y-%m-%dT%H:%M:%S}"
    return InputError(
        f"{network} has no reading of {sensor_id} at {moment:%Y-%m-%d %H:%M:%S} UTC", remedy=remedy
    )


def sample_reading(warehouse: Warehouse, settings: Settings, trace: Trace) -> ReadingTrace | None:
    """Return the last reading before an incident's report by the sensor that it rests on most.

    None where no sensor speaks for it (an incident that has ended), or the day's readings are gone.
    """
    for row in reversed(trace.revisions):
        partition = {"date": day_of_event(row).isoformat(), "network": trace.network}
        evidence, raw = warehouse.read(EVIDENCE, partition), warehouse.read(RAW, partition)
        if evidence is None or raw is None:
            continue
        mine = evidence.filter(incident_id=row["incident_id"], revision=row["revision"])
        for sensor, quantity in mine.sort("rank").select("sensor_id", "quantity").iter_rows():
            # A zone's balance is no sensor, and has no reading of its own.
            last = raw.filter(sensor_id=sensor, quantity=quantity)["ts_utc"].max()
            if isinstance(last, datetime):
                return trace_reading(
                    warehouse, settings, trace.network, sensor, last, quantity=quantity
                )
    return None
