"""The telemetry room's steps: deliveries to raw readings, raw readings to validated ones.

Only the order of reading, calling and writing belongs here; parsing, merging and validating are
in the modules beside this one.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import polars as pl

from leak_assets.pipeline.given import CONTRACT
from leak_assets.pipeline.step import Frames, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.sites.site import SITE_KINDS, VALIDATED_KINDS
from leak_assets.warehouse import Written

from .judged import reference_statistics
from .raw_steps import RAW, RAW_TABLES, take_deliveries
from .reference import chosen_reference_days, reference_is_over
from .validate import validate_day

_READINGS = "telemetry.readings"
_UNUSABLE = "telemetry.unusable_readings"


def readings_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the validated readings of each day, its gaps, and what could not be used."""
    site = work.site
    for partition in partitions:
        day = day_of(partition)
        raw = work.read(RAW, partition)
        if raw is None:
            continue
        before, work.memo["raw"] = work.memo.get("raw"), (day, raw)
        readings, gaps, unusable = validate_day(
            raw,
            network=site.name,
            layout=site.layout,
            contract=site.contract,
            day=day,
            previous=_day_before(work, day, before),
            reference_stats=_statistics(work, day),
        )
        yield (
            partition,
            {_READINGS: readings, "telemetry.gaps": gaps, _UNUSABLE: unusable},
        )


def _day_before(
    work: Work, day: date, read: tuple[date, pl.DataFrame] | None
) -> pl.DataFrame | None:
    """Return the raw log of the day before; not read once more where it was made just now."""
    before = day - timedelta(days=1)
    if read and read[0] == before:
        return read[1]
    if work.is_damaged(RAW, work.day(before)):
        # Its own readings cost it; the day after loses no more than what runs across midnight.
        work.progress(
            f"{work.site.name} {day}: made without the raw log of {before}, which is damaged"
            " (`leak-assets warehouse check` names the file); gaps and flat lines begin at midnight"
        )
        return None
    return work.read(RAW, work.day(before))


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


def _take(work: Work, partitions: Sequence[Partition]) -> list[Written]:
    return take_deliveries(work.ctx, work.site, [day_of(p) for p in partitions])


RAW_STEP = Step(
    name="raw_readings",
    partition="day",
    writes=RAW_TABLES,
    reads=(),
    given=(),
    run=_take,
    kinds=SITE_KINDS,
    description="New deliveries, merged into the raw log of their days.",
)

READINGS_STEP = Step(
    name="readings",
    partition="day",
    writes=(_READINGS, "telemetry.gaps", _UNUSABLE),
    reads=(
        Read(RAW, first_day=-1, required=True, spares=True),
        Read(_READINGS, days=_reference),
    ),
    given=(CONTRACT,),
    compute=readings_frames,
    holds_back=RAW,
    is_apart=reference_is_over,
    kinds=VALIDATED_KINDS,
    description="Raw readings in SI units on one grid, checked against the contract.",
)
