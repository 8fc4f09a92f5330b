"""Days once more in a second home: re-emitted at any speed, or computed as of a time.

What comes out is compared with what was published; nothing is written to the first home.
"""

import time as clock
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites.site import Site
from leak_assets.telemetry.raw_steps import RAW, RAW_CODE_VERSION
from leak_assets.telemetry.sources.replay import batches, emit
from leak_assets.warehouse.history import versions_at
from leak_assets.warehouse.lake import partition_name
from leak_assets.warehouse.record import content_hash

from .daemonless import prepare_site, process_days, take_waiting
from .freshness import days_with_readings
from .scratch import scratch_home

# What people act on, and what it rests on. Summaries name when and how long a model wrote them.
COMPARED = (
    "detection.window_scores",
    "detection.hypotheses",
    "detection.leak_candidates",
    "incidents.incident_events",
    "incidents.incident_days",
)
_OF_THE_RUN = "run_id"


@dataclass(frozen=True)
class Compared:
    """A table of a day, as it was published and as it came out now; hashes of its rows."""

    table: str
    date: date
    published: str
    replayed: str

    @property
    def is_same(self) -> bool:
        """Whether both have the same rows, but for the name of the run."""
        return self.published == self.replayed


def replay(
    ctx: StepContext,
    site: Site,
    first: date,
    last: date,
    *,
    into: Path,
    every: timedelta,
    speed: float,
    is_processed: bool = True,
) -> list[Compared]:
    """Re-emit days of the raw log into the landing zone of a second home, and compare.

    Parameters
    ----------
    first, last
        Days (UTC), both included.
    into
        The second home; an empty folder. It begins with all days before `first`.
    every
        Span of the device clock that is delivered at once.
    speed
        How much faster than the device clock; 0: without waiting.
    is_processed
        Take each delivery to incidents here; otherwise a daemon of the second home does that, and
        nothing is compared.

    Raises
    ------
    InputError
        The raw log has none of the days, or the folder is not empty.
    """
    days = _days(ctx, site, first, last)
    scratch = scratch_home(ctx, site, into, before=first)
    if is_processed:
        prepare_site(scratch, site)
    begin, started = datetime.combine(first, time(), UTC), clock.monotonic()
    for batch in batches(ctx.warehouse, site.name, first, last, every):
        if speed:
            due = started + (batch.until - begin).total_seconds() / speed
            clock.sleep(max(0.0, due - clock.monotonic()))
        emit(batch, scratch.settings.landing_dir, site.name)
        ctx.progress(f"{site.name} until {batch.until:%Y-%m-%d %H:%M}")
        if is_processed:
            _, delivered = take_waiting(scratch, site)
            process_days(scratch, site, sorted(delivered))
    return compare(ctx, scratch, site, days, datetime.now(UTC)) if is_processed else []


def recompute(
    ctx: StepContext, site: Site, first: date, last: date, at: datetime, *, into: Path | None = None
) -> list[Compared]:
    """Compute days from what the raw log had received by a time, and compare with what was said.

    Code, models and settings are today's. Days before `first` are as they are now, unless rows of
    them came later than `at`: then the computation begins there.

    Parameters
    ----------
    at
        The time: raw rows received later do not count, and neither do later publications.
    into
        A home for the result; by default a temporary one.
    """
    days = _days(ctx, site, first, last)
    known = days_with_readings(ctx, site.name)
    changed = [
        day for day in known if day <= last and not _raw(ctx, site, day, after=at).is_empty()
    ]
    begin = min([first, *changed])
    with ExitStack() as stack:
        folder = into or Path(stack.enter_context(TemporaryDirectory())) / "home"
        scratch = scratch_home(ctx, site, folder, before=begin)
        again = [day for day in known if begin <= day <= last]
        for day in again:
            rows = _raw(ctx, site, day, until=at)
            if not rows.is_empty():
                scratch.warehouse.write(
                    RAW, day_partition(day, site.name), rows, code_version=RAW_CODE_VERSION
                )
        prepare_site(scratch, site)
        process_days(scratch, site, again)
        return compare(ctx, scratch, site, days, at)


def compare(
    ctx: StepContext, scratch: StepContext, site: Site, days: Sequence[date], at: datetime
) -> list[Compared]:
    """Return what was published of days by a time beside what a second home has of them."""
    found = []
    for table in COMPARED:
        for day in days:
            name = partition_name(day_partition(day, site.name))
            version = versions_at(ctx.warehouse.root, table, at, name).get(name)
            published = None if version is None else pl.read_parquet(version.path.read_bytes())
            replayed = scratch.warehouse.read(table, day_partition(day, site.name))
            found.append(Compared(table, day, _hash(published), _hash(replayed)))
    return found


def _hash(rows: pl.DataFrame | None) -> str:
    # A day without rows says as little as one that was not made.
    if rows is None or rows.is_empty():
        return ""
    return content_hash(rows.drop(_OF_THE_RUN, strict=False))


def _days(ctx: StepContext, site: Site, first: date, last: date) -> list[date]:
    known = days_with_readings(ctx, site.name)
    found = [day for day in known if first <= day <= last]
    if not found:
        there = f"has {known[0]} to {known[-1]}" if known else "is empty"
        raise InputError(
            f"the raw log of {site.name} has no day from {first} to {last}", remedy=f"It {there}"
        )
    return found


def _raw(
    ctx: StepContext,
    site: Site,
    day: date,
    *,
    after: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    rows = ctx.warehouse.scan(RAW, date=day.isoformat(), network=site.name)
    if after is not None:
        rows = rows.filter(pl.col("received_at") > after)
    if until is not None:
        rows = rows.filter(pl.col("received_at") <= until)
    return rows.collect()
