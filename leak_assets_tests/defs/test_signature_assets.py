"""Assets of the leak signatures and the sensor placement, on an ephemeral instance."""

from pathlib import Path

import dagster as dg
import pytest

from leak_assets.definitions import defs
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings

RESPONSES = {
    dg.AssetKey(["simulation", "leak_signatures"]),
    dg.AssetKey(["simulation", "sensor_placement"]),
}


def test_signatures_and_placement_of_one_network(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job makes both tables, with row counts, figures and what was asked for."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    config = {"ops": {"sensor_placement": {"config": {"sensors": 3}}}}
    result = defs.resolve_job_def("signatures").execute_in_process(
        instance=instance, partition_key="hanoi", run_config=config
    )
    made = {m.asset_key: m.metadata for m in (
        e.materialization for e in result.get_asset_materialization_events()
    )}  # fmt: skip
    assert set(made) == RESPONSES
    signatures, placement = (made[key] for key in sorted(RESPONSES, key=lambda key: key.path))
    assert signatures["dagster/row_count"].value == 34 * 24 * 3 * 11
    assert signatures["pipes"].value == 34
    assert "data:image/png;base64," in str(signatures["pressure residual of hanoi"].value)
    assert placement["dagster/row_count"].value == 3
    assert placement["top5_hit"].value > placement["random_top5_hit"].value
    assert "data:image/png;base64," in str(placement["placement of hanoi"].value)
    ctx = StepContext.local(Settings())
    rows = ctx.warehouse.sql(
        "SELECT count(DISTINCT link_id) AS pipes FROM simulation.leak_signatures"
    )
    assert rows["pipes"].to_list() == [34]


@pytest.mark.parametrize("job", ["scenarios", "training", "micro_batch"])
def test_no_other_job_waits_for_them(job: str) -> None:
    """Minutes on a large network: the way from scenarios to incidents goes past them."""
    assert not selected_by(job) & RESPONSES


def test_a_network_gets_its_signatures_once() -> None:
    """With its other tables, because detection reads them; a placement only where asked for."""
    assert selected_by("network_model") & RESPONSES == {
        dg.AssetKey(["simulation", "leak_signatures"])
    }


def selected_by(job: str) -> set[dg.AssetKey]:
    """Return the assets that a job makes."""
    return set(defs.resolve_job_def(job).asset_layer.executable_asset_keys)
