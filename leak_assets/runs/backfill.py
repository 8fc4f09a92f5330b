"""Days made again because a person asks for them: after a bug, or for rows that came too late.

What is asked for is taken as it lies in the raw log; the days after it follow, because they go on
from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import Site
from leak_assets.warehouse import Written
from leak_assets.warehouse.catalogue import ensure_catalogue

from .daemonless import prepare_site, process_days
from .freshness import days_with_readings, held_back_days, stale_days, through_newest


@dataclass(frozen=True)
class BackfillSummary:
    """What a backfill did.

    Parameters
    ----------
    days, later_days
        Days that were asked for, and days after them that were made again because of them.
    changed
        Number of partitions with other content than before, by table.
    problems
        A line for each day that could not be made, and for each broken contract.
    """

    days: tuple[date, ...]
    later_days: tuple[date, ...]
    changed: dict[str, int]
    problems: tuple[str, ...]


def wanted_days(
    ctx: StepContext, site: Site, first: date | None = None, last: date | None = None
) -> list[date]:
    """Return the days of the raw log in a range; without one, those with rows held back.

    Raises
    ------
    InputError
        The raw log has none of the range.
    """
    if first is None and last is None:
        return held_back_days(ctx, site)
    known = days_with_readings(ctx, site.name)
    found = [day for day in known if (first or day) <= day <= (last or day)]
    if not found:
        there = f"has {known[0]} to {known[-1]}" if known else "is empty"
        raise InputError(
            f"the raw log of {site.name} has no day from {first or '…'} to {last or '…'}",
            remedy=f"It {there}; `leak-assets ingest` brings files in",
        )
    return found


def backfill(ctx: StepContext, site: Site, days: Sequence[date]) -> BackfillSummary:
    """Make days again from the raw log, and bring the days after them up to date.

    A day that cannot be made is told and left out; the others go on. Repeated after its cause is
    mended, only that day and what follows from it are made.

    Parameters
    ----------
    days
        Of the raw log; what came after their correction window is taken in.
    """
    prepare_site(ctx, site)
    written, problems = process_days(replace(ctx, reopens=True), site, days)
    stale = [day for day in stale_days(ctx, site) if days and day > min(days)]
    later = [day for day in through_newest(ctx, site.name, stale) if day not in set(days)]
    if later:
        more, problems_later = process_days(ctx, site, through_newest(ctx, site.name, stale))
        written += more
        problems += [line for line in problems_later if line not in problems]
    ensure_catalogue(ctx.warehouse.root)
    return BackfillSummary(tuple(days), tuple(later), _changed(written), tuple(problems))


def _changed(written: Sequence[Written]) -> dict[str, int]:
    found: dict[str, set[str]] = {}
    for item in written:
        if item.changed:
            found.setdefault(item.record.table, set()).add(item.record.partition)
    return {table: len(partitions) for table, partitions in sorted(found.items())}
