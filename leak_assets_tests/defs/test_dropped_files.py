"""Files that are dropped together: each day is made once, and its page of expectations is found."""

import os
import time
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dagster as dg
import polars as pl
import pytest

from leak_assets.definitions import defs
from leak_assets.defs.partitions import day_key, run_tags
from leak_assets.defs.resources import Platform
from leak_assets.defs.telemetry import sensors
from leak_assets.defs.telemetry.sensors import landing_zone
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.steps import RAW_STEP, READINGS_STEP
from leak_assets_tests.days import UNUSABLE, spoil_readings

SITE = """\
name: rome
kind: zones
cadence_s: 3600
sensors: [{quantity: flow, unit: L/s, ids: [m1]}]
details:
  areas: [{name: upper, meters: {m1: 1}, connections: 1000, mains_km: 10}]
"""
DAYS = [date(2026, 3, 2) + timedelta(days=n) for n in range(4)]
READINGS = dg.AssetKey(["telemetry", "readings"])
# One of telemetry, one of what is made from it.
TABLES = (READINGS, dg.AssetKey(["water", "dma_balance_daily"]))


@pytest.fixture
def rome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> StepContext:
    """A home with a zone, and a file of each day dropped one second after the other."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sensors, "TICK_S", 0.0)
    instance.add_dynamic_partitions("site", ["rome"])
    (tmp_path / "rome.yaml").write_text(SITE)
    ctx = StepContext.local(Settings())
    register_site(tmp_path / "rome.yaml", ctx.settings)
    folder = ctx.settings.landing_dir / "rome"
    folder.mkdir(parents=True)
    for number, day in enumerate(DAYS):
        lines = [f"{day} {hour:02}:00:00+00:00;{4 + hour % 5}" for hour in range(24)]
        (file := folder / f"{day}_Flows.csv").write_text("\n".join(["Timestamp;m1", *lines]) + "\n")
        dropped = time.time() - 60 + number
        os.utime(file, (dropped, dropped))
    return ctx


def look(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    """Call the landing sensor once."""
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"platform": Platform()}
    ) as context:
        result = landing_zone(context)
    assert isinstance(result, dg.SensorResult)
    return result


def made(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, int]:
    """Return how often each partition of an asset was materialized."""
    records = instance.fetch_materializations(asset, limit=1000).records
    keys = [record.partition_key or "" for record in records]
    return {key: keys.count(key) for key in keys}


def test_four_files_give_four_partitions_once_each(
    instance: dg.DagsterInstance, rome: StepContext
) -> None:
    """ING1: dropped within 5 s, taken by what the sensor asks for; the next look asks nothing."""
    cursor = None
    for _ in range(5):
        result = look(instance, cursor)
        cursor = result.cursor
        if not result.run_requests:
            break
        for request in result.run_requests:
            done = defs.resolve_job_def(request.job_name or "").execute_in_process(
                instance=instance,
                partition_key=request.partition_key,
                tags={
                    **request.tags,
                    "dagster/run_key": request.run_key or "",
                    "dagster/sensor_name": "landing_zone",
                },
            )
            assert done.success
    else:
        raise AssertionError("the sensor asks again and again")
    expected = {day_key(day, "rome"): 1 for day in DAYS}
    for asset in TABLES:
        assert made(instance, asset) == expected
    ledger = rome.warehouse.sql("SELECT accepted, duplicates FROM telemetry.ingest_ledger")
    assert ledger.rows() == [(24, 0)] * 4
    assert rome.warehouse.read_all("telemetry.raw_readings").height == 96


def test_the_page_of_expectations_hangs_on_the_materialization(
    instance: dg.DagsterInstance, rome: StepContext
) -> None:
    """VAL2: a failed check of the last materialization has sample rows and the link to its page."""
    wanted = [dg.AssetKey(table.split(".")) for table in (*RAW_STEP.writes, *READINGS_STEP.writes)]

    def run() -> dg.ExecuteInProcessResult:
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=wanted,
            tags=run_tags(DAYS[:1], "rome"),
            raise_on_error=False,
        )

    def checked(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
        found = result.get_asset_check_evaluations()
        (check,) = [one for one in found if one.check_name == "expectations"]
        return check

    assert run().success
    # A warning is told and blocks nothing.
    spoil_readings(rome, DAYS[0], "rome", UNUSABLE)
    result = run()
    assert result.success
    assert checked(result).passed
    assert checked(result).metadata["warnings"].value == 1
    assert "values are missing or estimated" in str(checked(result).description)
    spoil_readings(rome, DAYS[0], "rome")
    spoil_readings(rome, DAYS[0], "rome", (pl.lit(1, pl.Int8).alias("mask"),))
    result = run()
    assert not result.success
    check = checked(result)
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert check.target_materialization_data is not None
    assert check.target_materialization_data.run_id == result.run_id
    sample = check.metadata["offending_rows"].value
    assert isinstance(sample, list)
    assert sample[0]["value_si"] > 1e5
    page = Path(unquote(urlsplit(str(check.metadata[f"page of rome {DAYS[0]}"].value)).path))
    assert "value_si" in page.read_text()
