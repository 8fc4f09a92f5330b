"""Retention: what goes, what stays, and that what went is known."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.runs.retention import (
    apply_retention,
    expired_partitions,
    expired_revisions,
    remove_revisions,
)
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.history import versions
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.steps import march, put_days, rows

RAW, RESIDUALS, WINDOWS = "telemetry.raw_readings", "features.residuals", "features.windows"
SCORES, READINGS = "detection.window_scores", "telemetry.readings"


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    """Steps' context whose interim tables are kept for five days."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    return StepContext.local(settings.model_copy(update={"interim_retention_days": 5}))


@pytest.fixture
def site(ctx: StepContext) -> NetworkSite:
    """Return Hanoi."""
    return ctx.network("hanoi")


def days_of(ctx: StepContext, table: str) -> list[int]:
    """Return the days of March that a table has."""
    return [int(p["date"][-2:]) for p in ctx.warehouse.partitions(table)]


def fill(ctx: StepContext, last: int) -> None:
    """Write raw readings, readings, features and scores of the first days of March."""
    for table in (RAW, READINGS, RESIDUALS, WINDOWS, SCORES):
        put_days(ctx, table, dict.fromkeys(range(1, last + 1), 2))


def test_only_old_interim_tables_go(ctx: StepContext) -> None:
    """ORC13: raw readings and results stay; the day before the first kept one is needed by it."""
    fill(ctx, 20)
    told = apply_retention(ctx, dry_run=True)
    assert days_of(ctx, RESIDUALS) == list(range(1, 21)), "a dry run removes nothing"
    assert apply_retention(ctx) == told
    # The first kept day is the 15th; its windows and methods read residuals of days before it.
    needed = days_of(ctx, RESIDUALS)[0]
    assert 10 < needed < 15
    assert days_of(ctx, RESIDUALS) == list(range(needed, 21))
    assert days_of(ctx, WINDOWS) == list(range(15, 21))
    for table in (RAW, READINGS, SCORES):
        assert days_of(ctx, table) == list(range(1, 21))
    assert {(r.table, r.files, r.oldest[:15]) for r in told} == {
        (RESIDUALS, needed - 1, "date=2019-03-01"),
        (WINDOWS, 14, "date=2019-03-01"),
    }
    assert all(r.size_bytes > 1000 for r in told)
    assert apply_retention(ctx) == []


def test_what_went_is_known(ctx: StepContext) -> None:
    """The record stays, so that a missing day is meant; one that was lost otherwise is not."""
    fill(ctx, 20)
    own = day_partition(march(1), "hanoi")
    record = ctx.warehouse.record(WINDOWS, own)
    apply_retention(ctx)
    assert record is not None
    assert ctx.warehouse.is_retired(WINDOWS, own)
    assert not ctx.warehouse.is_retired(WINDOWS, day_partition(march(20), "hanoi"))
    (kept,) = (ctx.warehouse.root / "retired" / "features" / "windows").glob("date=2019-03-01*")
    assert record.data_version in kept.read_text()


def test_killed_in_the_middle_and_repeated(ctx: StepContext, site: NetworkSite) -> None:
    """Records are written before files go: repeated, the rest goes and nothing is unknown."""
    fill(ctx, 20)
    (table, own), *_ = expired_partitions(ctx, site)
    ctx.warehouse.path(table, own).unlink()
    apply_retention(ctx)
    assert not list(expired_partitions(ctx, site))


def test_a_site_that_is_unknown_keeps_what_it_has(ctx: StepContext) -> None:
    """Its reading days cannot be told, so nothing of it goes."""
    fill(ctx, 20)
    frame = rows(RAW, 1)
    for number in (1, 20):
        ctx.warehouse.write(RAW, day_partition(march(number), "elsewhere"), frame)
    ctx.warehouse.write(WINDOWS, day_partition(march(1), "elsewhere"), rows(WINDOWS, 1))
    apply_retention(ctx)
    assert ctx.warehouse.read(WINDOWS, day_partition(march(1), "elsewhere")) is not None


def published(ctx: StepContext, count: int) -> None:
    """Publish so many versions of a day of incidents."""
    for number in range(1, count + 1):
        frame = rows("incidents.incident_events", number)
        ctx.warehouse.write("incidents.incident_events", day_partition(march(4), "hanoi"), frame)


def kept(ctx: StepContext) -> Iterator[int]:
    """Return the revisions that there are files of."""
    found = versions(ctx.warehouse.root, "incidents.incident_events")
    yield from sorted(version.record.revision for version in found)


def test_revisions_are_thinned_to_one_a_day_and_go(ctx: StepContext) -> None:
    """In full at first, then the last one published each day, then the current one alone."""
    published(ctx, 5)
    now = datetime.now(UTC)
    assert expired_revisions(ctx, now + timedelta(days=29)) == []
    later = expired_revisions(ctx, now + timedelta(days=31))
    assert sorted(v.record.revision for v in later) == [1, 2, 3, 4]
    full = ctx.settings.model_copy(update={"history_full_days": 0})
    remove_revisions(StepContext(ctx.warehouse, full))
    assert list(kept(ctx)) == [5]


def test_the_last_version_of_an_earlier_day_is_kept_longer(ctx: StepContext) -> None:
    """How it stood that evening can be asked until the history's own end."""
    published(ctx, 3)
    folder = ctx.warehouse.history / "incidents" / "incident_events"
    (first,) = folder.glob("*__rev=1-*")
    metadata = pl.read_parquet_metadata(first)["leak_assets"]
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    record = json.loads(metadata) | {"published_at": yesterday}
    frame = pl.read_parquet(first.read_bytes())
    frame.write_parquet(first, metadata={"leak_assets": json.dumps(record)})
    now = datetime.now(UTC)
    soon = expired_revisions(ctx, now + timedelta(days=31))
    assert sorted(v.record.revision for v in soon) == [2]
    end = expired_revisions(ctx, now + timedelta(days=1101))
    assert sorted(v.record.revision for v in end) == [1, 2]
    assert TABLES["incidents.incident_events"].history == "all"
