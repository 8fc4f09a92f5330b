"""Retention: old interim tables and old revisions go, what nothing can make again never does.

Three tiers: raw readings, results and decisions for ever; interim tables (rows on the way to
results) for some hundred days; replaced revisions in full, then one a day, then none. The record
of each removed partition stays, so that its lineage does, and that it is missing is known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.locks import network_lock
from leak_assets.pipeline.runner import partitions_read
from leak_assets.pipeline.step import Partition, partition_of
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import Site
from leak_assets.system.files import publish
from leak_assets.warehouse.history import Version, retired_path, versions
from leak_assets.warehouse.lake import partition_name
from leak_assets.warehouse.schemas import TABLES

from .freshness import RAW, days_with_readings
from .graph import GRAPH


@dataclass(frozen=True)
class Removal:
    """What retention removes of one table.

    Parameters
    ----------
    table
        Full name; with ` (revisions)` where replaced versions are meant.
    files, size_bytes
        How many, and how large together.
    oldest, newest
        Their partitions.
    """

    table: str
    files: int
    size_bytes: int
    oldest: str
    newest: str


def expired_partitions(ctx: StepContext, site: Site) -> Iterator[tuple[str, Partition]]:
    """Yield table and partition of a site's interim rows that are old and that no newer day needs.

    Ages count from the newest reading, so that a history brought in today is not old at once. A
    day that is kept may read older ones (reference days, what a method goes on from): these stay.
    """
    days = days_with_readings(ctx, site.name)
    if not days:
        return
    first_kept = days[-1] - timedelta(days=ctx.settings.interim_retention_days)
    needed = _needed(ctx, site, [day for day in days if day >= first_kept])
    for step in GRAPH.by_day():
        if step.compute is None or site.kind not in step.kinds:
            continue
        for table in step.writes:
            if not TABLES[table].is_interim or TABLES[table].if_lost:
                continue
            for day in days:
                own = partition_of(table, {"date": day.isoformat(), "network": site.name})
                if day >= first_kept or (table, partition_name(own)) in needed:
                    continue
                if ctx.warehouse.path(table, own).exists():
                    yield table, own


def _needed(ctx: StepContext, site: Site, days: Sequence[date]) -> set[tuple[str, str]]:
    """Return table and partition of all that days are made from."""
    found = set()
    for step in GRAPH.by_day():
        if step.compute is None or site.kind not in step.kinds:
            continue
        work = Work(ctx, site, step)
        for day in days:
            partition = {"date": day.isoformat(), "network": site.name}
            for read in step.reads:
                for source in partitions_read(work, read, partition):
                    found.add((read.table, partition_name(source)))
    return found


def remove_expired(ctx: StepContext, site: Site, *, dry_run: bool = False) -> list[Removal]:
    """Remove a site's interim partitions that are old; `leak-assets backfill` makes them again."""
    with network_lock(ctx, site.name):
        found = list(expired_partitions(ctx, site))
        removals = _told(
            (table, partition_name(own), ctx.warehouse.path(table, own)) for table, own in found
        )
        if not dry_run:
            for table, own in found:
                record = ctx.warehouse.record(table, own)
                path = ctx.warehouse.path(table, own)
                if record is not None:
                    # First: killed in between, the partition is there and is found again.
                    publish(retired_path(ctx.warehouse.root, path), record.to_json().encode())
                path.unlink(missing_ok=True)
    return removals


def expired_revisions(ctx: StepContext, now: datetime | None = None) -> list[Version]:
    """Return the kept versions that are not kept any longer, of all sites.

    All that were replaced lately stay; of earlier ones the last published of each day and
    partition, so that "how did it stand that evening" keeps an answer; the oldest go.
    """
    now = now or datetime.now(UTC)
    full = now - timedelta(days=ctx.settings.history_full_days)
    end = now - timedelta(days=ctx.settings.history_retention_days)
    expired = []
    for name, table in TABLES.items():
        if table.history == "none":
            continue
        by_partition: dict[str, list[Version]] = {}
        for version in versions(ctx.warehouse.root, name):
            by_partition.setdefault(version.partition, []).append(version)
        for found in by_partition.values():
            found.sort(key=lambda version: (version.published_at, version.is_current))
            for version, successor in pairwise(found):
                replaced_at = successor.published_at
                is_last_of_day = version.published_at.date() != replaced_at.date()
                is_thinned = replaced_at < full and not is_last_of_day
                if not version.is_current and (replaced_at < end or is_thinned):
                    expired.append(version)
    return expired


def remove_revisions(ctx: StepContext, *, dry_run: bool = False) -> list[Removal]:
    """Thin out replaced versions, and remove the oldest."""
    found = expired_revisions(ctx)
    removals = _told((f"{v.table} (revisions)", v.partition, v.path) for v in found)
    if not dry_run:
        for version in found:
            version.path.unlink(missing_ok=True)
    return removals


def _told(found: Iterator[tuple[str, str, Path]]) -> list[Removal]:
    by_table: dict[str, list[tuple[str, int]]] = {}
    for table, partition, path in found:
        by_table.setdefault(table, []).append((partition, path.stat().st_size))
    return [
        Removal(
            table,
            len(files),
            sum(size for _, size in files),
            min(name for name, _ in files),
            max(name for name, _ in files),
        )
        for table, files in sorted(by_table.items())
    ]


def apply_retention(ctx: StepContext, *, dry_run: bool = False) -> list[Removal]:
    """Remove what is old of all sites with readings, and old revisions."""
    names = {partition["network"] for partition in ctx.warehouse.partitions(RAW)}
    removals = []
    for name in sorted(names):
        try:
            removals += remove_expired(ctx, ctx.site(name), dry_run=dry_run)
        except InputError as error:
            # A site that is registered no longer keeps what it has; the others go on.
            ctx.progress(f"nothing of {name} is removed: {error}")
    return removals + remove_revisions(ctx, dry_run=dry_run)
