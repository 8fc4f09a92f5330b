"""A plant's jobs: its micro-batch, and the daily batch that takes sites of every kind."""

import time
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from leak_assets.definitions import build_defs
from leak_assets.defs.partitions import day_key
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.context import StepContext
from leak_assets.plant.simulator.simulator import simulate_plant
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.sources.landing import SETTLE_S

PLANT = """
name: works
kind: plant
cadence_s: 2
sensors:
  - {quantity: temperature, unit: °C, ids: [wtf-pipe-1]}
  - {quantity: pressure, unit: bar, ids: [wtf-pipe-1]}
  - {quantity: flow, unit: L/min, ids: [wtf-pipe-1]}
"""


@pytest.mark.parametrize("job", ["plant_batch", "daily_batch"])
def test_a_plants_day_becomes_anomalies(tmp_path: Path, job: str) -> None:
    """Steps and checks of networks have nothing to say of it, and stop nothing."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    (tmp_path / "works.yaml").write_text(PLANT)
    register_site(tmp_path / "works.yaml", settings)
    start = datetime(2025, 5, 28, 12, tzinfo=UTC)
    readings = simulate_plant(1800, 11, start_at=start, anomaly_rate_per_h=20.0).readings
    export = tmp_path / "export.parquet"
    readings.rename({"parameter": "quantity"}).write_parquet(export)
    deliver([export], settings.landing_dir, "works")
    time.sleep(SETTLE_S + 0.1)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("site", ["works"])
        definitions = build_defs(platform=Platform(home=str(tmp_path)))
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=day_key(date(2025, 5, 28), "works"),
            raise_on_error=False,
        )
    assert result.success
    found = StepContext.local(settings).warehouse.sql("SELECT * FROM plant.current_anomalies")
    assert found.height > 0
    # VAL9: the rules are alerts, and a check of the data beside them.
    (check,) = [
        one for one in result.get_asset_check_evaluations()
        if one.check_name == "readings_keep_to_the_rules"
    ]  # fmt: skip
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["anomalies"].value == found.height
