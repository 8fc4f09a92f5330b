"""The steps: models that no longer fit are refused; days may be cut and resumed anywhere."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.detection.steps import HYPOTHESES_STEP, SCORES_STEP
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import run_step
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings
from leak_assets.warehouse.schemas.features import WINDOWS
from leak_assets.warehouse.schemas.telemetry import READINGS

DAY = date(2019, 3, 9)


@pytest.fixture
def ready(ctx: StepContext) -> StepContext:
    """Models of Hanoi in use and a day whose windows are there, though without rows."""
    ctx.warehouse.write("features.windows", day_partition(DAY, "hanoi"), WINDOWS.empty())
    return ctx


def remove_sensors(settings: Path) -> None:
    """Leave two pressures of Hanoi."""
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("sensors: [{quantity: pressure, ids: ['4', '9']}]\n")


@pytest.mark.slow
def test_models_of_another_layout_score_nothing(ready: StepContext) -> None:
    """Two sensors instead of ten: no window is scored, training is the remedy, and days go on."""
    remove_sensors(ready.settings.networks_dir / "hanoi.yaml")
    told: list[str] = []
    telling = replace(ready, progress=told.append)
    run_step(SCORES_STEP, telling, ready.network("hanoi"), [day_partition(DAY, "hanoi")])
    assert any("another sensor layout of hanoi" in line and "train" in line for line in told)
    assert ready.warehouse.read_all("detection.window_scores").is_empty()


@pytest.mark.slow
def test_another_contract_is_told(ready: StepContext) -> None:
    """The day is scored, and the progress names both models."""
    told: list[str] = []
    site = ready.network("hanoi")
    changed = replace(site, contract=site.contract.model_copy(update={"version": "9.9.9"}))
    telling = replace(ready, progress=told.append)
    assert len(run_step(SCORES_STEP, telling, changed, [day_partition(DAY, "hanoi")])) == 2
    assert sum("another data contract" in line for line in told) == 2


DAYS = [date(2019, 3, 1) + timedelta(days=number) for number in range(12)]
CHAIN = ("calibrations", "channels_30m", "hypotheses")
MADE = ("features.channels_30m", *HYPOTHESES_STEP.writes)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with twelve days of Hanoi's readings and its leak signatures."""
    home = tmp_path_factory.mktemp("delivered")
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="test")
    site = ctx.network("hanoi")
    run = run_scenario(
        site.network,
        site.layout,
        start_at=datetime(2019, 3, 1, tzinfo=UTC),
        duration_s=len(DAYS) * 86400 - 300,
        town=Town.draw(site.network, 4),
        leaks=(Leak("20", datetime(2019, 3, 9, tzinfo=UTC), 0.3),),
        seed=4,
    )
    for day in DAYS:
        rows = run.wide().filter(pl.col("ts_utc").dt.date() == day)
        ctx.warehouse.write("telemetry.readings", day_partition(day, "hanoi"), readings_of(rows))
    for name in ("network", "leak_signatures"):
        run_step(GRAPH.step(name), ctx, site, [{"network": "hanoi"}])
    return home


def readings_of(wide: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `telemetry.readings` of usable wide values."""
    name = pl.col("name").str.split_exact("/", 1)
    return (
        wide.unpivot(index="ts_utc", variable_name="name", value_name="value_si")
        .with_columns(
            network=pl.lit("hanoi"),
            quantity=name.struct.field("field_0"),
            sensor_id=name.struct.field("field_1"),
            quality=pl.lit("good"),
            flags=pl.lit(0, pl.Int64),
            mask=pl.lit(1, pl.Int8),
        )
        .with_columns(
            pl.lit(None, dtype).alias(column)
            for column, dtype in READINGS.polars_schema.items()
            if column in ("estimator", "offset_s", "received_at", "source", "message_id")
        )
        .select(READINGS.polars_schema.names())
        .cast(dict(READINGS.polars_schema))
    )


def versions(home: Path, parts: Sequence[Sequence[date]]) -> dict[tuple[str, str], str]:
    """Make the days in parts, each by a context of its own; return all data versions."""
    for part in parts:
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="test")
        for name in CHAIN:
            days = [day_partition(day, "hanoi") for day in part]
            run_step(GRAPH.step(name), ctx, ctx.network("hanoi"), days)
    found = {}
    for table in MADE:
        for partition in ctx.warehouse.partitions(table, network="hanoi"):
            record = ctx.warehouse.record(table, partition)
            assert record is not None
            found[table, partition["date"]] = record.data_version
    return found


def test_days_may_be_cut_anywhere(delivered: Path, tmp_path: Path) -> None:
    """All at once, day by day, with a day repeated: the same partitions to the last bit."""
    cuts = ([DAYS], [[day] for day in DAYS], [DAYS[:3], DAYS[2:10], [DAYS[9]], DAYS[9:]])
    made = []
    for number, parts in enumerate(cuts):
        home = tmp_path / str(number)
        shutil.copytree(delivered, home)
        made.append(versions(home, parts))
    assert len(made[0]) == len(MADE) * len(DAYS)
    assert (
        StepContext.local(Settings(LEAK_ASSETS_HOME=home))
        .warehouse.sql("SELECT count(*) FROM features.channels_30m")
        .item()
    )
    assert made[0] == made[1] == made[2]


def test_a_late_value_makes_all_later_days_anew(delivered: Path, tmp_path: Path) -> None:
    """A day that changes changes its own state and what follows, as if it had come in time."""
    late, on_time = tmp_path / "late", tmp_path / "time"
    for home in (late, on_time):
        shutil.copytree(delivered, home)
    before = versions(late, [DAYS])
    for home in (late, on_time):
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
        partition = day_partition(DAYS[8], "hanoi")
        rows = ctx.warehouse.read("telemetry.readings", partition)
        assert rows is not None
        lower = pl.when(pl.col("quantity") == "pressure").then(pl.col("value_si") - 3.0)
        changed = rows.with_columns(value_si=lower.otherwise("value_si"))
        ctx.warehouse.write("telemetry.readings", partition, changed)
    after = versions(late, [DAYS])
    assert after == versions(on_time, [DAYS])
    same = {key for key in before if before[key] == after[key]}
    assert {day for table, day in same if table == "features.channels_30m"} >= {
        day.isoformat() for day in DAYS[:8]
    }
    assert ("features.channels_30m", DAYS[8].isoformat()) not in same
