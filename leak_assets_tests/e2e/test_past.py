"""Late hours, stored days once more, old days gone and made again: what was said stays known."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.backfill import backfill, wanted_days
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.freshness import stale_days
from leak_assets.runs.replay import COMPARED, recompute, replay
from leak_assets.runs.retention import apply_retention
from leak_assets.settings import Settings
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.days import land, land_day

pytestmark = pytest.mark.slow

LEAK_DAY, DAY_AFTER = date(2019, 3, 8), date(2019, 3, 9)


@pytest.fixture
def new_ctx(trained: Path, tmp_path: Path) -> Callable[[str], StepContext]:
    """Return a maker of homes with models in use."""

    def make(name: str) -> StepContext:
        shutil.copytree(trained, tmp_path / name)
        return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / name), run_id=name)

    return make


def land_hours(ctx: StepContext, town_files: Path, day: date, hours: range) -> None:
    """Deliver the town's rows of some hours of a day."""
    parts = ctx.settings.home / "parts"
    parts.mkdir(exist_ok=True)
    for file in sorted((town_files / "landing" / "hanoi").iterdir()):
        header, *lines = file.read_text().splitlines(keepends=True)
        wanted = tuple(f"{day} {hour:02d}:" for hour in hours)
        part = parts / f"{day}T{hours[0]:02d}_{file.name}"
        part.write_text(header + "".join(line for line in lines if line.startswith(wanted)))
        deliver([part], ctx.settings.landing_dir, "hanoi")


def test_replayed_days_have_the_scores_of_the_original(
    new_ctx: Callable[[str], StepContext], town_files: Path, tmp_path: Path
) -> None:
    """ING11: two days in deliveries of six hours: each table of each day has the same hash."""
    ctx = new_ctx("original")
    land(town_files, ctx)
    site = ctx.network("hanoi")
    process_landing_zone(ctx, site)
    before = {p: p.stat().st_mtime_ns for p in ctx.warehouse.root.rglob("*.parquet")}
    found = replay(
        ctx,
        site,
        LEAK_DAY,
        DAY_AFTER,
        into=tmp_path / "second",
        every=timedelta(hours=6),
        speed=1e6,
    )
    assert [c for c in found if not c.is_same] == []
    assert {c.table for c in found if c.published} >= {*COMPARED[:2], "incidents.incident_days"}
    assert {c.date for c in found} == {LEAK_DAY, DAY_AFTER}
    second = Settings(LEAK_ASSETS_HOME=tmp_path / "second")
    taken = list((second.landing_dir / "hanoi" / "done").rglob("*.parquet"))
    assert len(taken) == 8, "through the landing zone, like any file"
    assert before == {p: p.stat().st_mtime_ns for p in ctx.warehouse.root.rglob("*.parquet")}
    with pytest.raises(InputError, match="no empty folder"):
        replay(ctx, site, LEAK_DAY, LEAK_DAY, into=tmp_path / "second", every=timedelta(1), speed=0)


def test_an_hour_that_comes_late(new_ctx: Callable[[str], StepContext], town_files: Path) -> None:
    """ING4: hours H after H+2: windows, scores, incidents follow; the old version can be asked.

    What had been said before the late hours came follows from the raw log as of then.
    """
    ctx = new_ctx("late")
    site = ctx.network("hanoi")
    for number in range(4, 8):
        land_day(ctx, town_files, date(2019, 3, number))
    land_hours(ctx, town_files, LEAK_DAY, range(13))
    land_hours(ctx, town_files, LEAK_DAY, range(18, 24))
    land_day(ctx, town_files, DAY_AFTER)
    process_landing_zone(ctx, site)
    published = datetime.now(UTC)
    land_hours(ctx, town_files, LEAK_DAY, range(13, 18))
    assert process_landing_zone(ctx, site).problems == ()

    revisions = ctx.warehouse.sql(
        "SELECT table_name, max(revision) AS n FROM audit.data_versions WHERE is_current"
        " AND partition = 'date=2019-03-08__network=hanoi' GROUP BY 1"
    )
    revision = dict(revisions.rows())
    for table in ("telemetry.readings", "detection.window_scores"):
        assert revision[table] == 2, table
    assert revision["incidents.incident_days"] > 1
    scored = (
        "SELECT count(*) FROM detection.window_scores WHERE state = 'scored'"
        " AND window_end::DATE = '2019-03-08'"
    )
    with ctx.warehouse.connect(published) as then, ctx.warehouse.connect() as now:
        assert then.execute(scored).fetchall() < now.execute(scored).fetchall()
        flows = "SELECT flow_m3_per_h FROM incidents.incident_days WHERE day = '2019-03-09'"
        assert then.execute(flows).fetchall() != now.execute(flows).fetchall()
    history = ctx.warehouse.sql(
        "SELECT partition_revision, is_current FROM incidents.incident_days_history()"
        " WHERE day = '2019-03-09' ORDER BY 1"
    )
    assert not history.rows()[0][1]
    assert history.rows()[-1][1]

    as_said = recompute(ctx, site, LEAK_DAY, DAY_AFTER, published)
    assert [c for c in as_said if not c.is_same] == []
    as_known_now = recompute(ctx, site, LEAK_DAY, DAY_AFTER, datetime.now(UTC))
    assert [c for c in as_known_now if not c.is_same] == []
    assert {(c.table, c.date): c.replayed for c in as_said} != {
        (c.table, c.date): c.replayed for c in as_known_now
    }


def test_what_retention_removed_is_made_again_the_same(
    new_ctx: Callable[[str], StepContext], town_files: Path
) -> None:
    """ORC13: old features go, nothing is stale; asked for, they have the same data versions."""
    ctx = new_ctx("retention")
    land(town_files, ctx)
    site = ctx.network("hanoi")
    process_landing_zone(ctx, site)
    settings = ctx.settings.model_copy(update={"interim_retention_days": 2})
    ctx = StepContext(ctx.warehouse, settings)
    before = versions_of(ctx)
    removals = {removal.table: removal.files for removal in apply_retention(ctx)}
    assert removals["features.windows"] == 7
    assert removals["features.residuals"] >= 3
    after = versions_of(ctx)
    assert {table for table, _ in before.keys() - after.keys()} == set(removals)
    assert after.items() <= before.items()
    assert stale_days(ctx, site) == []
    process_landing_zone(ctx, site)
    assert versions_of(ctx) == after, "no run makes again by itself what is meant to be gone"
    summary = backfill(ctx, site, wanted_days(ctx, site, date(2019, 3, 4), date(2019, 3, 13)))
    assert summary.problems == ()
    assert set(summary.changed) == set(removals)
    assert versions_of(ctx) == before


def versions_of(ctx: StepContext) -> dict[tuple[str, str], str]:
    """Return the data version of each partition by day of the lake."""
    found = {}
    for name, table in TABLES.items():
        if "date" in table.partition_by:
            for partition in ctx.warehouse.partitions(name):
                record = ctx.warehouse.record(name, partition)
                assert record is not None
                found[name, record.partition] = record.data_version
    return found
