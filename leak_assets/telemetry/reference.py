"""The leak-free reference days of a network: which of them count for a day.

What is learned on them belongs to the rooms that use them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from leak_assets.pipeline.context import day_partition
from leak_assets.pipeline.work import Work
from leak_assets.quality.reasons import names_of
from leak_assets.sites.site import Site
from leak_assets.warehouse import Warehouse

_READINGS = "telemetry.readings"
_DAY_S = 86_400
# A day teaches where nine tenths of its steps have usable readings of half of its sensors: half
# a day would teach half of the demand pattern, and a sensor that is dead for weeks must not keep
# its network learning.
COMPLETE_FROM_SHARE = 0.9
SENSORS_FROM_SHARE = 0.5
# Newest days that are named with why they do not count; a network may be silent for months.
_TOLD_DAYS = 5


@dataclass(frozen=True)
class ReferencePeriod:
    """Reference days from one first day on.

    Parameters
    ----------
    days
        The first complete days, in order; at most `wanted`.
    wanted
        How many the network's settings ask for.
    missing, incomplete
        Days among them without readings, and with too few; why most of those cannot be used.
    """

    days: tuple[date, ...]
    wanted: int
    missing: tuple[date, ...] = ()
    incomplete: Mapping[date, str] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all days are there."""
        return len(self.days) == self.wanted

    def __str__(self) -> str:
        """Return the state in words, naming the days that do not count."""
        gaps = [f"{day} is missing" for day in self.missing]
        gaps += [f"{day} is incomplete ({why})" for day, why in self.incomplete.items()]
        told = sorted(gaps)[-_TOLD_DAYS:]
        if more := len(gaps) - len(told):
            told.append(f"{more} more days before do not count")
        return "; ".join([f"{len(self.days)} of {self.wanted} leak-free days", *told])


def reference_periods(warehouse: Warehouse, site: Site) -> list[ReferencePeriod]:
    """Return the reference periods of a network, oldest first.

    They begin on the first days that the network's settings name, or with its readings. Days
    that are missing or incomplete are passed over.
    """
    found = [
        date.fromisoformat(partition["date"])
        for partition in warehouse.partitions(_READINGS, network=site.name)
    ]
    firsts = site.reference_first_days or tuple(found[:1])
    wanted = site.reference_days
    return [_period(warehouse, site, found, first, wanted) for first in firsts]


def _period(
    warehouse: Warehouse, site: Site, found: Sequence[date], first: date, wanted: int
) -> ReferencePeriod:
    days: list[date] = []
    incomplete: dict[date, str] = {}
    seen: list[date] = []
    for day in found:
        if day < first or len(days) == wanted:
            continue
        seen.append(day)
        if why := _why_incomplete(warehouse, site, day):
            incomplete[day] = why
        else:
            days.append(day)
    span = range((seen[-1] - first).days) if seen else range(0)
    missing = {first + timedelta(days=number) for number in span} - set(seen)
    return ReferencePeriod(tuple(days), wanted, tuple(sorted(missing)), incomplete)


def _why_incomplete(warehouse: Warehouse, site: Site, day: date) -> str:
    """Return why a day teaches nothing, in words; nothing where it does."""
    readings = warehouse.read(_READINGS, day_partition(day, site.name))
    if readings is None or readings.is_empty():
        return "no reading"
    shares = readings.group_by("ts_utc").agg(pl.col("mask").mean().alias("share"))
    steps = shares.filter(pl.col("share") >= SENSORS_FROM_SHARE).height
    if steps * site.contract.cadence_s >= COMPLETE_FROM_SHARE * _DAY_S:
        return ""
    masked = readings.filter(pl.col("mask") == 0)
    if masked.height < (1 - SENSORS_FROM_SHARE) * readings.height:
        return "too few readings"
    flags = masked.group_by("flags").len().sort("len", "flags")["flags"][-1]
    return f"{masked.height / readings.height:.0%} of its readings are {names_of(flags) or 'bad'}"


def chosen_reference_days(work: Work, day: date, *, table: str) -> tuple[date, ...]:
    """Return the reference days for a day of a step's work; see `reference_days`.

    Once all periods are over, days that are taken in order no longer change them: a range of
    two years must not look for them two thousand times.
    """
    site = work.site
    periods: list[ReferencePeriod] | None = work.memo.get("reference_periods")
    if periods is None or not _are_over(periods, day):
        periods = reference_periods(work.warehouse, site)
        if _are_over(periods, day):
            work.memo["reference_periods"] = periods
    return reference_days(work.warehouse, site, day, periods=periods, table=table)


def reference_is_over(work: Work, day: date) -> bool:
    """Whether all reference periods ended before a day: what it reads of them is there."""
    return _are_over(reference_periods(work.warehouse, work.site), day)


def _are_over(periods: Sequence[ReferencePeriod], day: date) -> bool:
    return bool(periods) and all(p.is_whole and p.days[-1] < day for p in periods)


def reference_days(
    warehouse: Warehouse,
    site: Site,
    day: date,
    *,
    periods: Sequence[ReferencePeriod],
    table: str,
) -> tuple[date, ...]:
    """Return the reference days for a day: the newest whole period that ended before it.

    Where none did, the days count that the table's rows of that time were made with: newer
    reference days in the settings must not take from the past what was known then. No days
    while the network is learning.

    Parameters
    ----------
    periods
        As from `reference_periods`.
    table
        Table whose partitions (date × network) name reference days among their inputs.
    """
    ended = [period.days for period in periods if period.is_whole and period.days[-1] < day]
    if ended:
        return max(ended, key=lambda days: days[-1])
    for partition in reversed(warehouse.partitions(table, network=site.name)):
        if partition["date"] > day.isoformat():
            continue
        days = _days_in_record(warehouse, table, partition)
        if days and days[-1] < day:
            return days
    return ()


def _days_in_record(
    warehouse: Warehouse, table: str, partition: dict[str, str]
) -> tuple[date, ...]:
    record = warehouse.record(table, partition)
    sources = [i.partition for i in record.inputs if i.name == _READINGS] if record else []
    return tuple(sorted(date.fromisoformat(s[len("date=") :].split("__")[0]) for s in sources))
