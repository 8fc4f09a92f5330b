"""What a corrected file would change, before anything is run: readings, partitions, incidents.

The file is merged and validated in memory. Beyond the readings two lists are told apart:

*affected* is what the run will look at: all that follows from a changed partition by what steps
declare and records name. It needs no computation, and the run writes nothing outside of it.

*changed* is what the run will write: of an affected partition whose inputs come out as they were
nothing is written. Only making the days can say so, which is done in memory where it is asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.audit.rescore import ReplayWork
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import day_partitions
from leak_assets.pipeline.step import Read, Step
from leak_assets.pipeline.work import day_of
from leak_assets.sites.site import NetworkSite
from leak_assets.telemetry.raw import merge_raw
from leak_assets.telemetry.readers.read_file import parse_file
from leak_assets.warehouse.lake import partition_name
from leak_assets.warehouse.record import is_version_of
from leak_assets.warehouse.schemas import TABLES

from .freshness import RAW, days_with_readings
from .graph import GRAPH

READINGS_STEP = "readings"
_DAYS = "incidents.incident_days"
_KEY = ["sensor_id", "quantity", "ts_utc"]
# Its texts may come from a language model, and nothing is made from them.
_NOT_TRIED = ("summaries",)


@dataclass(frozen=True)
class WhatIf:
    """What would change.

    Parameters
    ----------
    file, sha256, is_exact
        What was looked at, and how.
    readings
        Raw values that are new or other: sensor, time, value before and after.
    quarantined
        Values of the file that could not be used.
    affected
        `table`, `day`: partitions that the run will look at; if exact, only those that it will
        write anew.
    held_back
        Changed days whose correction window is over: they wait for `leak-assets backfill`.
    incidents
        Incidents that are open on an affected day, or opened on one: id, status, top pipe.
    """

    file: Path
    sha256: str
    is_exact: bool
    readings: pl.DataFrame = field(repr=False)
    quarantined: int
    affected: pl.DataFrame = field(repr=False)
    held_back: tuple[date, ...]
    incidents: pl.DataFrame = field(repr=False)

    @property
    def by_table(self) -> pl.DataFrame:
        """Number of partitions, first and last day of each table."""
        return self.affected.group_by("table", maintain_order=True).agg(
            partitions=pl.len(), first=pl.col("day").min(), last=pl.col("day").max()
        )


def what_would_change(
    ctx: StepContext, site: NetworkSite, path: Path, *, is_exact: bool = False
) -> WhatIf:
    """Return what a file would change if it were delivered now; nothing is written.

    Parameters
    ----------
    is_exact
        Make the affected days in memory: partitions whose inputs come out as they are, and all
        that hangs on them alone, are left out. It takes as long as the run would.

    Raises
    ------
    InputError
        Nothing of the file can be used.
    """
    parsed = parse_file(
        path,
        network=site.name,
        layout=site.layout,
        contract=site.contract,
        received_at=datetime.now(UTC),
        file_path=f"{site.name}/{path.name}",
        strict=True,
    )
    walk = _Walk(ctx, site, is_exact=is_exact)
    changes = [pl.DataFrame(schema=_CHANGES)]
    for day in parsed.days:
        changes.append(walk.deliver(day, parsed.readings_of(day)))
    walk.go()
    affected = pl.DataFrame(
        sorted(walk.affected, key=lambda one: (one[1], one[0])),
        schema={"table": pl.String, "day": pl.Date},
        orient="row",
    )
    return WhatIf(
        path,
        parsed.sha256,
        is_exact,
        pl.concat(changes).sort(*_KEY),
        parsed.quarantined,
        affected,
        tuple(sorted(walk.held_back)),
        _incidents(ctx, site, sorted({day for table, day in walk.affected if table == _DAYS})),
    )


_CHANGES: dict[str, Any] = {
    "sensor_id": pl.String,
    "quantity": pl.String,
    "ts_utc": TABLES[RAW].polars_schema["ts_utc"],
    "before": pl.Float64,
    "after": pl.Float64,
    "unit": pl.String,
}


class _Walk:
    """From changed days of the raw log through the steps, in their order."""

    def __init__(self, ctx: StepContext, site: NetworkSite, *, is_exact: bool) -> None:
        self.ctx, self.site, self.is_exact = ctx, site, is_exact
        self.days = days_with_readings(ctx, site.name)
        self.affected: set[tuple[str, date]] = set()
        self.held_back: set[date] = set()
        # Days of each table whose content differs, or may.
        self._changed: dict[str, set[date]] = {}
        self._replaced: dict[tuple[str, str], pl.DataFrame] = {}

    def deliver(self, day: date, new: pl.DataFrame) -> pl.DataFrame:
        """Merge rows of a day into its raw log and return what changed of it."""
        where = day_partition(day, self.site.name)
        before = self.ctx.warehouse.read(RAW, where)
        old = TABLES[RAW].empty() if before is None else before
        merged, _ = merge_raw(old, new)
        if before is not None and merged.equals(before):
            return pl.DataFrame(schema=_CHANGES)
        if day not in self.days:
            self.days = sorted({*self.days, day})
        self.affected.add((RAW, day))
        self._changed.setdefault(RAW, set()).add(day)
        self._replaced[RAW, partition_name(where)] = merged
        return _values(old, merged)

    def go(self) -> None:
        """Take the steps that follow from the raw log, in order."""
        for step in GRAPH.by_day():
            if step.compute is None or self.site.kind not in step.kinds:
                continue
            stale = self._stale(step)
            if stale:
                self._make(step, stale)

    def _stale(self, step: Step) -> list[date]:
        """Return the days of a step whose inputs differ, in order."""
        if not self._changed:
            return []
        first = min(day for days in self._changed.values() for day in days)
        days = [day for day in self.days if day >= first]
        found: list[date] = []
        for day in days:
            is_stale = any(self._reads_changed(step, read, day) for read in step.reads)
            if step.holds_back and is_stale and self._is_over(step, day):
                self.held_back.add(day)
                continue
            if is_stale and step.goes_on:
                return found + [d for d in days if d >= day]
            if is_stale:
                found.append(day)
                if not self.is_exact and step.name != READINGS_STEP:
                    # Its rows of later days may go on from it.
                    self._change(step, [day])
        return found

    def _reads_changed(self, step: Step, read: Read, day: date) -> bool:
        changed = self._changed.get(read.table)
        if not changed or "date" not in TABLES[read.table].partition_by:
            return False
        if read.days is None:
            return any(
                day + timedelta(days=offset) in changed
                for offset in range(read.first_day, read.last_day + 1)
            )
        if min(changed) >= day:
            return False
        record = self.ctx.warehouse.record(step.writes[0], day_partition(day, self.site.name))
        names = {(RAW, "")} if record is None else {(i.name, i.partition) for i in record.inputs}
        return any(
            (read.table, partition_name(day_partition(at, self.site.name))) in names
            for at in changed
        )

    def _is_over(self, step: Step, day: date) -> bool:
        """Whether a day was first published longer ago than its correction window."""
        record = self.ctx.warehouse.record(step.writes[0], day_partition(day, self.site.name))
        window = timedelta(days=self.ctx.settings.correction_window_days)
        return record is not None and record.first_published_at <= datetime.now(UTC) - window

    def _make(self, step: Step, days: Sequence[date]) -> None:
        """Note what is written; make it in memory where its content is to be known."""
        is_made = step.name not in _NOT_TRIED and (self.is_exact or step.name == READINGS_STEP)
        if not is_made:
            self.affected.update((table, day) for table in step.writes for day in days)
            self._change(step, days)
            return
        work = ReplayWork(
            replace(self.ctx, progress=lambda _line: None),
            self.site,
            step,
            replaced=self._replaced,
        )
        # Days that go on from each other see one another: they are made one at a time.
        for day in days if not step.goes_on else [None]:
            asked = day_partitions(days if day is None else [day], self.site.name)
            for partition, frames in step.made(work, asked):
                self._compare(step, day_of(partition), frames.items())

    def _change(self, step: Step, days: Iterable[date]) -> None:
        for table in step.writes:
            self._changed.setdefault(table, set()).update(days)

    def _compare(self, step: Step, day: date, frames: Iterable[tuple[str, pl.DataFrame]]) -> None:
        where = day_partition(day, self.site.name)
        for table, frame in frames:
            record = self.ctx.warehouse.record(table, where)
            is_other = record is None or not is_version_of(frame, record.data_version)
            inputs_differ = any(self._reads_changed(step, read, day) for read in step.reads)
            if is_other:
                self._changed.setdefault(table, set()).add(day)
                self._replaced[table, partition_name(where)] = frame
            if is_other or inputs_differ:
                self.affected.add((table, day))


def _values(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the values that count after a delivery and differ from those before."""
    last = [
        frame.sort("received_at", "sequence").group_by(_KEY).last() for frame in (before, after)
    ]
    return (
        last[1]
        .join(last[0].select(*_KEY, before="value"), on=_KEY, how="left")
        .filter(pl.col("value").ne_missing(pl.col("before")))
        .select(*_KEY, "before", pl.col("value").alias("after"), "unit")
        .select(pl.col(name).cast(dtype) for name, dtype in _CHANGES.items())
    )


def _incidents(ctx: StepContext, site: NetworkSite, days: Sequence[date]) -> pl.DataFrame:
    """Return the incidents that are open on some days, by their state on the last of them."""
    columns = ["incident_id", "status", "severity", "day", "top_link_id", "volume_lost_m3"]
    found = ctx.warehouse.scan(_DAYS, network=site.name).filter(pl.col("day").is_in(days))
    rows = found.select(columns).sort("day").collect()
    return (
        rows.group_by("incident_id", maintain_order=True)
        .agg(
            pl.col("status").last(),
            pl.col("severity").last(),
            first_day=pl.col("day").first(),
            last_day=pl.col("day").last(),
            top_link_id=pl.col("top_link_id").last(),
            volume_lost_m3=pl.col("volume_lost_m3").last(),
        )
        .sort("incident_id")
    )
