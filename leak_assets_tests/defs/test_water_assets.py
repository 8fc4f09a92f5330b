"""Metered areas without a model, materialized by Dagster: tables, picture, and nothing else."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from leak_assets.definitions import defs
from leak_assets.defs.partitions import SITE_TAG, day_key
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver

DAY = date(2026, 6, 1)
SITE = """\
name: two-areas
kind: zones
cadence_s: 3600
sensors: [{quantity: flow, unit: m3/h, ids: [m1, m2]}]
details:
  areas: [{name: upper, meters: {m1: 1, m2: -1}}, {name: lower, meters: {m2: 1}}]
"""


def test_a_day_becomes_a_balance_with_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landed hourly files run through the job of their kind; half a day shows no picture yet."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path), run_id="test")
    (tmp_path / "site.yaml").write_text(SITE)
    register_site(tmp_path / "site.yaml", ctx.settings)
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    lines = [f"{start + timedelta(hours=h):%Y-%m-%d %H:%M:%S};{30 + h};{10 + h}" for h in range(24)]
    key = day_key(DAY, "two-areas")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("site", ["two-areas"])
        pictures = []
        for name, hours in (("morning", lines[:12]), ("evening", lines[12:])):
            file = tmp_path / f"{name}_Flows.csv"
            file.write_text("\n".join(["Timestamp;m1;m2", *hours]) + "\n")
            deliver([file], ctx.settings.landing_dir, "two-areas")
            result = defs.resolve_job_def("zones_batch").execute_in_process(
                instance=instance, partition_key=key, tags={SITE_TAG: "two-areas"}
            )
            assert result.success
            (event,) = result.asset_materializations_for_node("water_balance")[:1]
            pictures.append("nights and days of two-areas" in event.metadata)
    assert pictures == [False, True]
    balance = ctx.warehouse.read_all("water.dma_balance_daily", network="two-areas")
    assert dict(balance.select("zone_id", "net_inflow_m3").iter_rows()) == pytest.approx(
        {"upper": 480.0, "lower": sum(range(10, 34))}
    )
    assert ctx.warehouse.partitions("features.residuals", network="two-areas") == []
