"""The way without Dagster: the same rows, and nothing lost or doubled when it is interrupted."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from leak_assets import batch
from leak_assets.context import StepContext
from leak_assets.definitions import defs
from leak_assets.defs.partitions import run_tags
from leak_assets.settings import Settings
from leak_assets.telemetry.landing import deliver
from leak_assets.telemetry.steps import write_raw_readings
from leak_assets.warehouse import Warehouse

pytestmark = pytest.mark.slow

# When and by whom a row was written differs between two runs by design.
_VOLATILE = ("run_id", "created_at", "ingested_at", "received_at", "latency_s")
_TABLES = (
    "telemetry.raw_readings",
    "telemetry.readings",
    "features.calibrations",
    "features.residuals",
    "features.windows",
    "scores.window_scores",
    "scores.leak_candidates",
    "incidents.incident_events",
    "incidents.candidates",
    "incidents.evidence",
    "incidents.summaries",
)


@pytest.fixture
def new_ctx(trained: Path, tmp_path: Path, town_files: Path) -> Callable[[str], StepContext]:
    """Return a maker of homes with models in force and the town's files landed."""

    def make(name: str) -> StepContext:
        shutil.copytree(trained, tmp_path / name)
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / name), run_id=name)
        deliver([town_files / "landing" / "hanoi"], ctx.settings.landing_dir, "hanoi")
        return ctx

    return make


def rows(ctx: StepContext, table: str) -> pl.DataFrame:
    """Return a table without what differs between runs by design."""
    return ctx.warehouse.read_all(table, network="hanoi").drop(_VOLATILE, strict=False)


def test_batch_and_dagster_give_the_same_rows(
    new_ctx: Callable[[str], StepContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """ORC14, DET10: all days at once without Dagster, day by day as assets: same tables."""
    plain, assets = new_ctx("plain"), new_ctx("assets")
    summary = batch.process_landing_zone(plain, "hanoi")
    assert summary.days == 10
    assert batch.stale_days(plain, "hanoi") == []
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(assets.settings.home))
    partitions = plain.warehouse.partitions("telemetry.readings", network="hanoi")
    days = [date.fromisoformat(partition["date"]) for partition in partitions]
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("network", ["hanoi"])
        for day in days:
            result = defs.resolve_job_def("micro_batch").execute_in_process(
                instance=instance, tags=run_tags([day], "hanoi")
            )
            assert result.success
    for table in _TABLES:
        assert rows(plain, table).equals(rows(assets, table)), table
    assert plain.warehouse.sql("SELECT count(*) AS n FROM incidents.incidents")["n"][0] >= 1


def test_interrupted_ingestion_repeated_ends_the_same(
    new_ctx: Callable[[str], StepContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after each number of writes and repeated: same raw log, nothing lost or doubled."""
    whole, broken = new_ctx("whole"), new_ctx("broken")
    days = [date(2019, 3, 4 + n) for n in range(10)]
    write_raw_readings(whole, "hanoi", days)
    original = Warehouse.write
    for allowed in (1, 4, 9, 10, 11):
        left = [allowed]

        def dies(self: Warehouse, *args: object, **kwargs: object) -> object:
            if left[0] == 0:  # noqa: B023 - rebound for each interruption
                raise KeyboardInterrupt
            left[0] -= 1  # noqa: B023
            return original(self, *args, **kwargs)  # type: ignore[arg-type]

        with monkeypatch.context() as interrupted:
            interrupted.setattr(Warehouse, "write", dies)
            with pytest.raises(KeyboardInterrupt):
                write_raw_readings(broken, "hanoi", days)
    write_raw_readings(broken, "hanoi", days)
    for table in ("telemetry.raw_readings", "telemetry.quarantine"):
        assert rows(whole, table).equals(rows(broken, table)), table
    ledger = broken.warehouse.read_all("telemetry.ingest_ledger", network="hanoi")
    assert ledger["status"].to_list() == ["ingested"] * ledger.height
    assert ledger.height == 2
