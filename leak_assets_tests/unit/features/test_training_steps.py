"""Training features of scenario runs: when they are made anew."""

import pytest

from leak_assets.features.training_steps import TRAINING_STEP
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import run_step

pytestmark = pytest.mark.slow
BATCH = {"batch": "b000", "network": "hanoi"}


def sensors(ctx: StepContext) -> set[str]:
    """Return the pressure sensors that the features know."""
    frame = ctx.warehouse.require(TRAINING_STEP.writes[0], BATCH, remedy="Train")
    return set(frame.filter(quantity="pressure")["sensor_id"])


def test_features_stand_until_the_sensor_layout_changes(ctx: StepContext) -> None:
    """Other sensors are other channels, though scenario runs and code are the same."""
    kept_features = run_step(TRAINING_STEP, ctx, ctx.network("hanoi"), [BATCH])
    assert [w.changed for w in kept_features] == [False]
    before = sensors(ctx)
    kept = sorted(before)[:3]
    settings = ctx.settings.networks_dir / "hanoi.yaml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        f"sensors:\n- {{quantity: pressure, ids: {kept}}}\n- {{quantity: flow, ids: ['1']}}\n"
    )
    made_anew = run_step(TRAINING_STEP, ctx, ctx.network("hanoi"), [BATCH])
    assert [w.changed for w in made_anew] == [True]
    assert sensors(ctx) == set(kept) < before
