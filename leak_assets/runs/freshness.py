"""Which days would be written differently now: what their tables were made from has changed."""

import hashlib
from collections.abc import Sequence
from datetime import date

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import held_back, inputs_of, is_stale, waiting_inputs
from leak_assets.pipeline.step import Partition, Step
from leak_assets.pipeline.work import Work
from leak_assets.quality.breaks import BREAKS, READINGS, known_breaks
from leak_assets.sites.site import Site
from leak_assets.warehouse.lake import partition_name
from leak_assets.warehouse.partition_files import DamagedPartitionError
from leak_assets.warehouse.schemas import TABLES

from .graph import GRAPH

RAW = "telemetry.raw_readings"


def days_with_readings(ctx: StepContext, site: str) -> list[date]:
    """Return the days in the raw log of a site, in order."""
    partitions = ctx.warehouse.partitions(RAW, network=site)
    return [date.fromisoformat(partition["date"]) for partition in partitions]


def through_newest(ctx: StepContext, site: str, days: Sequence[date]) -> list[date]:
    """Return some days and all later ones in the raw log, in order.

    A day goes on from the days before it, so a late day is followed by all that came earlier.
    """
    later = (d for d in days_with_readings(ctx, site) if days and d > min(days))
    return sorted({*days, *later})


def stale_days(ctx: StepContext, site: Site, steps: Sequence[Step] | None = None) -> list[date]:
    """Return the days of the raw log with a table that is missing or made from other inputs.

    Changes show one table at a time: bringing these days and all later ones up to date in order
    leaves none.

    Parameters
    ----------
    steps
        Those to look at; by default all that follow from the raw log.
    """
    works = _works(ctx, site, steps or GRAPH.by_day())
    return [
        day
        for day in days_with_readings(ctx, site.name)
        if any(
            _is_stale(work, day_partition(day, site.name))
            for work in _makeable(ctx, site, day, works)
        )
    ]


def unfinished_days(ctx: StepContext, site: Site) -> dict[date, str]:
    """Return the days that lack a table which can be made, in order.

    Each with a hash of what it would be made from: whoever asks for the days asks once.

    A killed run leaves such days. They are found by the names of files, so that a look over
    3,000 days of a network costs 45 ms; only what is missing is judged by its records.
    """
    known = ctx.warehouse.days(RAW, site.name)
    found: dict[date, list[object]] = {}
    for work in _works(ctx, site, GRAPH.by_day()):
        lacking: set[str] = set()
        for table in work.step.writes:
            lacking |= known - ctx.warehouse.days(table, site.name)
        for read in work.step.reads:
            if lacking and read.required and "date" in TABLES[read.table].partition_by:
                lacking &= ctx.warehouse.days(read.table, site.name)
        for text in sorted(lacking):
            day = date.fromisoformat(text)
            partition = day_partition(day, site.name)
            if _makeable(ctx, site, day, [work]) and _is_stale(work, partition):
                found.setdefault(day, []).append(_state(work, partition))
    return {day: hash_of(states) for day, states in sorted(found.items())}


def broken_days(ctx: StepContext, site: Site) -> dict[date, list[str]]:
    """Return the days that are known to break their contract, with how; nothing waits for them."""
    days = [
        date.fromisoformat(p["date"]) for p in ctx.warehouse.partitions(BREAKS, network=site.name)
    ]
    return {day: lines for day in days if (lines := known_breaks(ctx, site, day))}


def _makeable(ctx: StepContext, site: Site, day: date, works: Sequence[Work]) -> list[Work]:
    """Return the steps that a day can be made by: of a day that breaks its contract the readings.

    What follows from them is missing for good, until other readings or another contract come.
    """
    if not known_breaks(ctx, site, day):
        return list(works)
    return [work for work in works if READINGS in work.step.writes]


def _is_stale(work: Work, partition: Partition) -> bool:
    try:
        return is_stale(work, partition)
    except DamagedPartitionError:
        # Told when the day is made; the other days must not wait for it.
        return True


def held_back_days(ctx: StepContext, site: Site) -> list[date]:
    """Return the days with rows in the raw log that came after the day's correction window."""
    found = []
    for work in _works(ctx, site, [step for step in GRAPH.by_day() if step.holds_back]):
        for day in days_with_readings(ctx, site.name):
            partition = day_partition(day, site.name)
            if _is_held_back(work, partition):
                found.append(day)
    return found


def _is_held_back(work: Work, partition: Partition) -> bool:
    try:
        inputs = inputs_of(work, partition)
        own = work.step.holds_back, partition_name(partition)
        return (
            inputs is not None
            and own in waiting_inputs(work, inputs)
            and bool(held_back(work, partition, inputs))
        )
    except DamagedPartitionError:
        return False


def staleness(ctx: StepContext, site: Site, day: date) -> str:
    """Return what the stale tables of a day would be made from, as a hash; empty where none is.

    Equal for equal inputs and code: whoever asks for a day because of it asks once.
    """
    partition = day_partition(day, site.name)
    works = _makeable(ctx, site, day, _works(ctx, site, GRAPH.by_day()))
    stale = [_state(work, partition) for work in works if _is_stale(work, partition)]
    return hash_of(stale) if stale else ""


def _state(work: Work, partition: Partition) -> tuple[str, str, object]:
    """Return what a partition would be made from, and by which code."""
    try:
        inputs: object = inputs_of(work, partition)
    except DamagedPartitionError as error:
        inputs = str(error)
    return work.step.name, work.step.code_version, inputs


def hash_of(states: Sequence[object]) -> str:
    """Return a short hash of what some partitions would be made from."""
    return hashlib.sha256(repr(states).encode()).hexdigest()[:16]


def _works(ctx: StepContext, site: Site, steps: Sequence[Step]) -> list[Work]:
    return [
        Work(ctx, site, step)
        for step in steps
        if step.compute is not None and site.kind in step.kinds
    ]
