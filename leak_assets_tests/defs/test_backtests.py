"""The job of the backtests: methods on a generated town, kept in `detection.backtests`."""

from pathlib import Path

import dagster as dg
import pytest

from leak_assets.defs.benchmark.backtests import BACKTEST, backtests
from leak_assets.defs.resources import Platform
from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse

pytestmark = pytest.mark.slow


def test_the_job_values_methods_and_doing_nothing(tmp_path: Path) -> None:
    """Doing nothing is worth 0; of a method value, crews and net fit, and false alarms."""
    config = {"seed": 3, "days": 7, "history_days": 14, "methods": ["none", "likelihood"]}
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("site", ["hanoi"])
        definitions = dg.Definitions(
            assets=[backtests],
            jobs=[BACKTEST],
            resources={"platform": Platform(home=str(tmp_path))},
        )
        result = definitions.resolve_job_def("backtest").execute_in_process(
            instance=instance,
            partition_key="hanoi",
            run_config={"ops": {"detection__backtests": {"config": config}}},
        )
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["value_eur/none"].value == 0
    warehouse = Warehouse.from_settings(Settings(LEAK_ASSETS_HOME=tmp_path))
    rows = {row["method"]: row for row in warehouse.read_all("detection.backtests").to_dicts()}
    nothing, method = rows["none"], rows["likelihood"]
    assert [nothing[name] for name in ("value_eur", "crew_eur", "net_eur")] == [0, 0, 0]
    assert nothing["false_alarms_per_zone_week"] == 0
    assert method["value_eur"] - method["crew_eur"] == pytest.approx(method["net_eur"], abs=0.02)
    per_week = method["false_positives"] / method["zones"]
    assert method["false_alarms_per_zone_week"] == pytest.approx(per_week, abs=1e-3)
    assert {row["backtest_id"] for row in rows.values()} == {result.run_id}
