"""The telemetry room's steps: landed files to raw readings, raw readings to validated ones.

Only the order of reading, calling and writing belongs here; parsing, merging and validating are
in the modules beside this one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.given import CONTRACT
from leak_assets.pipeline.step import Frames, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.sites.site import NetworkSite
from leak_assets.system.locks import exclusive
from leak_assets.telemetry.readers.read_file import ParsedFile, parse_file
from leak_assets.telemetry.sources.arrivals import first_seen
from leak_assets.telemetry.sources.inbox import beside_the_folders, unknown_folders
from leak_assets.telemetry.sources.landing import LandedFile, list_files
from leak_assets.warehouse import Input, Written

from .ledger import ledger_row
from .raw import merge_raw
from .reference import chosen_reference_days
from .validate import reference_statistics, validate_day

# Delivered rows do not depend on code: they are kept as they came.
RAW_CODE_VERSION = "1"
_RAW = "telemetry.raw_readings"
_READINGS = "telemetry.readings"


@dataclass(frozen=True)
class _Arrival:
    """A parsed file and where it came from."""

    file: LandedFile
    parsed: ParsedFile

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def as_input(self) -> Input:
        return Input("file", self.name, "", self.parsed.sha256)

    @property
    def ledger_partition(self) -> str:
        """Name and content together: the same delivery twice is the same row."""
        return hashlib.sha256(f"{self.name}\n{self.parsed.sha256}".encode()).hexdigest()[:16]


def write_raw_readings(ctx: StepContext, site: NetworkSite, days: Sequence[date]) -> list[Written]:
    """Take all new files of a network and merge their readings of `days` into the raw log.

    Readings of other days are told and left; their file stays `partial` in the ledger, and new,
    until runs of those days have merged them too. Interrupted and repeated, it ends with the
    same partitions: readings are merged by key, and a file enters the ledger only after all its
    readings are published.

    Returns
    -------
    list of Written
        Partitions of `telemetry.raw_readings`, `telemetry.quarantine`,
        `telemetry.ingest_ledger`.
    """
    # Merging reads, adds and writes a day: two processes must not do that at the same time.
    with exclusive(ctx.warehouse.root / ".locks" / f"{site.name}.lock"):
        arrivals = _new_arrivals(ctx, site)
        duplicates = dict.fromkeys((a.name for a in arrivals), 0)
        written: list[Written] = []
        for day in days:
            written += _merge_day(ctx, site.name, day, arrivals, duplicates)
        for arrival in arrivals:
            written += _record_arrival(ctx, arrival, days, duplicates=duplicates[arrival.name])
    return written


def known_files(ctx: StepContext, network: str) -> dict[str, str]:
    """Return the signature of each file of a network that the ledger knows as taken, by path."""
    taken = (
        ctx.warehouse.scan("telemetry.ingest_ledger", network=network)
        .filter(pl.col("status") != "partial")
        .select("file_path", "size_bytes", "mtime_ns", "ingested_at")
        .collect()
        .sort("ingested_at")
    )
    return {
        row["file_path"]: f"{row['size_bytes']}:{row['mtime_ns']}"
        for row in taken.iter_rows(named=True)
    }


def _new_arrivals(ctx: StepContext, site: NetworkSite) -> list[_Arrival]:
    """Parse the network's landed files that the ledger does not know as ingested."""
    known = known_files(ctx, site.name)
    arrivals = []
    files = list_files(ctx.settings.landing_dir)
    problems = unknown_folders(ctx.settings, files).values()
    for problem in (*problems, *beside_the_folders(ctx.settings)):
        ctx.progress(problem)
    new = [f for f in files if f.network == site.name and known.get(f.name) != f.signature]
    received_at = first_seen(ctx.settings.landing_dir, new)
    for file in new:
        ctx.progress(f"reading {file.name} ({file.size / 1e6:.1f} MB)")
        parsed = parse_file(
            file.path,
            network=site.name,
            layout=site.layout,
            contract=site.contract,
            received_at=received_at[file.name],
            file_path=file.name,
        )
        arrivals.append(_Arrival(file, parsed))
    return arrivals


def _merge_day(
    ctx: StepContext,
    network: str,
    day: date,
    arrivals: Sequence[_Arrival],
    duplicates: dict[str, int],
) -> list[Written]:
    partition = day_partition(day, network)
    frame = ctx.warehouse.read(_RAW, partition)
    record = ctx.warehouse.record(_RAW, partition)
    inputs = list(record.inputs) if record else []
    merged_any = False
    for arrival in arrivals:
        new = arrival.parsed.readings_of(day)
        if new.is_empty():
            continue
        merged_any = True
        frame, doubled = merge_raw(frame if frame is not None else new.clear(), new)
        duplicates[arrival.name] += doubled
        if doubled < new.height and arrival.as_input not in inputs:
            inputs.append(arrival.as_input)
    if not merged_any or frame is None:
        return []
    return [
        ctx.warehouse.write(_RAW, partition, frame, inputs=inputs, code_version=RAW_CODE_VERSION)
    ]


def _record_arrival(
    ctx: StepContext, arrival: _Arrival, days: Sequence[date], *, duplicates: int
) -> list[Written]:
    parsed, network, written = arrival.parsed, arrival.file.network, []
    if not parsed.quarantine.is_empty():
        written.append(
            ctx.warehouse.write(
                "telemetry.quarantine",
                {"part": f"file-{arrival.ledger_partition}", "network": network},
                parsed.quarantine,
                inputs=[arrival.as_input],
                code_version=RAW_CODE_VERSION,
            )
        )
    left = [d for d in parsed.days if d not in days and not _is_merged(ctx, arrival, d)]
    left_readings = sum(parsed.readings_of(day).height for day in left)
    if left:
        ctx.progress(
            f"{arrival.name}: {left_readings} readings of {len(left)} days from {left[0]} to"
            f" {left[-1]} are not in the raw log yet: they wait for a run of those days"
        )
    row = ledger_row(
        parsed,
        network=network,
        file_path=arrival.name,
        size_bytes=arrival.file.size,
        mtime_ns=arrival.file.mtime_ns,
        duplicates=duplicates,
        left=left_readings,
        ingested_at=datetime.now(UTC),
        run_id=ctx.warehouse.run_id,
    )
    written.append(
        ctx.warehouse.write(
            "telemetry.ingest_ledger",
            {"file": arrival.ledger_partition, "network": network},
            row,
            inputs=[arrival.as_input],
            code_version=RAW_CODE_VERSION,
        )
    )
    return written


def _is_merged(ctx: StepContext, arrival: _Arrival, day: date) -> bool:
    """Whether an earlier run merged a file's readings of a day."""
    record = ctx.warehouse.record(_RAW, day_partition(day, arrival.file.network))
    return record is not None and arrival.as_input in record.inputs


def readings_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the validated readings and the gaps of each day, and what the contract refuses."""
    site = work.network
    for partition in partitions:
        day = day_of(partition)
        raw = work.read(_RAW, partition)
        if raw is None:
            continue
        readings, gaps, quarantine = validate_day(
            raw,
            network=site.name,
            layout=site.layout,
            contract=site.contract,
            day=day,
            previous=work.read(_RAW, work.day(day - timedelta(days=1))),
            reference_stats=_statistics(work, day),
        )
        frames = {_READINGS: readings, "telemetry.gaps": gaps}
        rest = _refused(partition)
        if not quarantine.is_empty() or work.warehouse.record("telemetry.quarantine", rest):
            frames["telemetry.quarantine"] = quarantine
        yield partition, frames


def _reference(work: Work, day: date) -> tuple[date, ...]:
    """Return the reference days for a day; only days before it, nothing of the future counts."""
    return chosen_reference_days(work, day, table=_READINGS)


def _statistics(work: Work, day: date) -> pl.DataFrame | None:
    """Return how readings look on the reference days of a day; None while there are none."""
    days = _reference(work, day)
    if work.memo.get("days") != days:
        readings = work.read_days(_READINGS, days)
        statistics = None if readings.is_empty() else reference_statistics(readings)
        work.memo.update(days=days, statistics=statistics)
    found: pl.DataFrame | None = work.memo["statistics"]
    return found


def _refused(partition: Partition) -> Partition:
    return {"part": f"day-{partition['date']}", "network": partition["network"]}


def _take(work: Work, partitions: Sequence[Partition]) -> list[Written]:
    return write_raw_readings(work.ctx, work.network, [day_of(p) for p in partitions])


RAW_STEP = Step(
    name="raw_readings",
    partition="day",
    writes=("telemetry.raw_readings", "telemetry.quarantine", "telemetry.ingest_ledger"),
    reads=(),
    given=(),
    run=_take,
    description="New deliveries, merged into the raw log of their days.",
)

READINGS_STEP = Step(
    name="readings",
    partition="day",
    writes=(_READINGS, "telemetry.gaps"),
    also_writes={"telemetry.quarantine": _refused},
    reads=(
        Read(_RAW, first_day=-1, required=True),
        Read(_READINGS, days=_reference),
    ),
    given=(CONTRACT,),
    compute=readings_frames,
    description="Raw readings in SI units on one grid, checked against the contract.",
)
