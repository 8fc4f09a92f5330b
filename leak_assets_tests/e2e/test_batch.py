"""The way without Dagster: the same rows, and nothing lost or doubled when it is interrupted."""

import shutil
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from leak_assets.definitions import defs
from leak_assets.defs.partitions import run_tags
from leak_assets.pipeline.context import StepContext
from leak_assets.runs import daemonless as batch
from leak_assets.runs.freshness import stale_days
from leak_assets.settings import Settings
from leak_assets.telemetry.raw_steps import take_deliveries
from leak_assets.telemetry.sources.landing import LandingFolder
from leak_assets.telemetry.steps import RAW_STEP, READINGS_STEP
from leak_assets.warehouse import Warehouse
from leak_assets_tests.days import (
    TOWN_DAYS,
    land,
    land_day,
    mend_readings,
    run_days,
    spoil_readings,
)

pytestmark = pytest.mark.slow

# When and by whom a row was written differs between two runs by design.
_VOLATILE = ("run_id", "created_at", "ingested_at", "received_at", "latency_s")
_TABLES = (
    "telemetry.raw_readings",
    "telemetry.readings",
    "telemetry.unusable_readings",
    "features.calibrations",
    "features.residuals",
    "features.channels_30m",
    "features.windows",
    "detection.window_scores",
    "detection.window_candidates",
    "detection.hypotheses",
    "detection.leak_candidates",
    "detection.evidence",
    "detection.states",
    "incidents.incident_events",
    "incidents.incident_days",
    "incidents.candidates",
    "incidents.evidence",
    "incidents.summaries",
)


@pytest.fixture
def new_ctx(trained: Path, tmp_path: Path, town_files: Path) -> Callable[[str], StepContext]:
    """Return a maker of homes with models in use and the town's files landed."""

    def make(name: str) -> StepContext:
        shutil.copytree(trained, tmp_path / name)
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / name), run_id=name)
        land(town_files, ctx)
        return ctx

    return make


def rows(ctx: StepContext, table: str) -> pl.DataFrame:
    """Return a table without what differs between runs by design."""
    return ctx.warehouse.read_all(table, network="hanoi").drop(_VOLATILE, strict=False)


def test_batch_and_dagster_give_the_same_rows(
    trained: Path, tmp_path: Path, town_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ORC14, DET10: all days at once without Dagster, day by day as assets: same tables."""
    contexts = []
    for name in ("plain", "assets"):
        shutil.copytree(trained, tmp_path / name)
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / name), run_id=name)
        for day in TOWN_DAYS:
            land_day(ctx, town_files, day)
        contexts.append(ctx)
    plain, assets = contexts
    summary = batch.process_landing_zone(plain, plain.network("hanoi"))
    assert summary.days == 10
    assert stale_days(plain, plain.network("hanoi")) == []
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(assets.settings.home))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("site", ["hanoi"])
        for day in TOWN_DAYS:
            result = defs.resolve_job_def("micro_batch").execute_in_process(
                instance=instance, tags=run_tags([day], "hanoi")
            )
            assert result.success
    for table in _TABLES:
        assert rows(plain, table).equals(rows(assets, table)), table
    assert plain.warehouse.sql("SELECT count(*) AS n FROM incidents.incidents")["n"][0] >= 1


def test_days_out_of_order_give_the_incidents_of_days_in_order(
    trained: Path, tmp_path: Path, town_files: Path
) -> None:
    """A day that comes after its successor: the later day is taken again, no incident doubles."""
    outcomes = {}
    for name, deliveries in (
        ("in-order", [range(4, 12)]),
        # The last late day is a reference day: everything after it is made anew.
        ("late", [[4], [6, 7, 8], [10], [9], [11], [5]]),
    ):
        shutil.copytree(trained, tmp_path / name)
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / name), run_id=name)
        for days in deliveries:
            for day in days:
                land_day(ctx, town_files, date(2019, 3, day))
            batch.process_landing_zone(ctx, ctx.network("hanoi"))
        assert stale_days(ctx, ctx.network("hanoi")) == []
        outcomes[name] = ctx
    in_order, late = outcomes["in-order"], outcomes["late"]
    assert rows(in_order, "incidents.incident_events")["event"].to_list().count("opened") >= 1
    for table in _TABLES[1:]:
        assert rows(in_order, table).equals(rows(late, table)), table


def test_newer_reference_days_leave_the_past_as_it_was(
    new_ctx: Callable[[str], StepContext],
) -> None:
    """A first day named later holds for days after its period; the days before stand."""
    ctx = new_ctx("renewed")
    batch.process_landing_zone(ctx, ctx.network("hanoi"))
    before = rows(ctx, "detection.window_scores")
    (ctx.settings.networks_dir / "hanoi.yaml").write_text(
        "reference_first_day: 2019-03-09\nreference_days: 4\n"
    )
    assert stale_days(ctx, ctx.network("hanoi")) == [date(2019, 3, 13)]
    days = [date(2019, 3, day) for day in range(4, 14)]
    batch.process_days(ctx, ctx.network("hanoi"), days)
    used = ctx.warehouse.sql(
        "SELECT DISTINCT date, reference_first_day AS first FROM features.calibrations ORDER BY 1"
    )
    assert used["first"].dt.day().to_list() == [4] * 5 + [9]
    past = pl.col("window_end").dt.date() < date(2019, 3, 13)
    assert rows(ctx, "detection.window_scores").filter(past).equals(before.filter(past))


def test_a_network_that_still_learns_says_what_it_waits_for(
    trained: Path, tmp_path: Path, town_files: Path
) -> None:
    """A hole among the first days is named; the fourth complete day ends the learning."""
    shutil.copytree(trained, tmp_path / "learning")
    told: list[str] = []
    settings = Settings(LEAK_ASSETS_HOME=tmp_path / "learning")
    ctx = StepContext.local(settings, run_id="learning", progress=told.append)
    for day in (4, 5, 7):
        land_day(ctx, town_files, date(2019, 3, day))
    batch.process_landing_zone(ctx, ctx.network("hanoi"))
    assert "hanoi is learning: 3 of 4 leak-free days; 2019-03-06 is missing" in told
    for day in (8, 9):
        land_day(ctx, town_files, date(2019, 3, day))
    batch.process_landing_zone(ctx, ctx.network("hanoi"))
    assert rows(ctx, "detection.window_scores")["window_end"].dt.date().unique().to_list() == [
        date(2019, 3, 9)
    ]


def test_readings_that_break_the_contract_go_no_further(
    new_ctx: Callable[[str], StepContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """VAL1: a red day has no features and is told; the other days get theirs."""
    ctx = new_ctx("red")
    site, red = ctx.network("hanoi"), date(2019, 3, 9)
    days = [date(2019, 3, 4 + n) for n in range(10)]
    run_days(RAW_STEP, ctx, site, *days)
    run_days(READINGS_STEP, ctx, site, *days)
    spoil_readings(ctx, red)
    summary = batch.process_landing_zone(ctx, site)
    assert summary.problems
    assert all(line.startswith("hanoi 2019-03-09 ") for line in summary.problems)
    made = {p["date"] for p in ctx.warehouse.partitions("features.residuals", network="hanoi")}
    assert "2019-03-09" not in made
    assert {"2019-03-08", "2019-03-10", "2019-03-13"} < made
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(ctx.settings.home))
    monkeypatch.setattr(sys, "argv", ["batch", "hanoi"])
    # It was told: the same again is no news, and ends well.
    assert batch.main() == 0
    assert not ctx.warehouse.partitions("features.residuals", network="hanoi", date=str(red))
    mend_readings(ctx, red)
    assert batch.main() == 0
    assert ctx.warehouse.partitions("features.residuals", network="hanoi", date=str(red))


def test_interrupted_ingestion_repeated_ends_the_same(
    new_ctx: Callable[[str], StepContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after each number of writes and repeated: same raw log, nothing lost or doubled."""
    whole, broken = new_ctx("whole"), new_ctx("broken")
    days = [date(2019, 3, 4 + n) for n in range(10)]
    take_deliveries(whole, whole.network("hanoi"), days)
    original = Warehouse.write
    # Ten days and the ledger: what is there is not written again.
    for allowed in (0, 1, 4, 5):
        left = [allowed]

        def dies(self: Warehouse, *args: object, **kwargs: object) -> object:
            if left[0] == 0:  # noqa: B023 - rebound for each interruption
                raise KeyboardInterrupt
            left[0] -= 1  # noqa: B023
            return original(self, *args, **kwargs)  # type: ignore[arg-type]

        with monkeypatch.context() as interrupted:
            interrupted.setattr(Warehouse, "write", dies)
            with pytest.raises(KeyboardInterrupt):
                take_deliveries(broken, broken.network("hanoi"), days)
    take_deliveries(broken, broken.network("hanoi"), days)
    for table in ("telemetry.raw_readings", "telemetry.quarantine"):
        assert rows(whole, table).equals(rows(broken, table)), table
    ledger = broken.warehouse.read_all("telemetry.ingest_ledger", network="hanoi")
    assert ledger.select("status", "duplicates").rows() == [("ingested", 0)] * 2
    assert LandingFolder(broken.settings, broken.warehouse).waiting() == []
