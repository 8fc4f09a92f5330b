"""The scoring step: it refuses models that no longer fit the network."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from leak_assets.detection.steps import SCORES_STEP
from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import run_step
from leak_assets.warehouse.schemas.features import WINDOWS

pytestmark = pytest.mark.slow
DAY = date(2019, 3, 9)


@pytest.fixture
def ready(ctx: StepContext) -> StepContext:
    """Models of Hanoi in force and a day whose windows are there, though without rows."""
    ctx.warehouse.write("features.windows", day_partition(DAY, "hanoi"), WINDOWS.empty())
    return ctx


def remove_sensors(settings: Path) -> None:
    """Leave two pressures of Hanoi."""
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("sensors: [{quantity: pressure, ids: ['4', '9']}]\n")


def test_models_of_another_layout_score_nothing(ready: StepContext) -> None:
    """Two sensors instead of ten: not a row is written, training is the remedy."""
    remove_sensors(ready.settings.networks_dir / "hanoi.yaml")
    with pytest.raises(InputError, match=r"another sensor layout of hanoi.*leak-assets train"):
        run_step(SCORES_STEP, ready, ready.network("hanoi"), [day_partition(DAY, "hanoi")])
    assert ready.warehouse.partitions("detection.window_scores") == []


def test_another_contract_is_told(ready: StepContext) -> None:
    """The day is scored, and the progress names both models."""
    told: list[str] = []
    site = ready.network("hanoi")
    changed = replace(site, contract=site.contract.model_copy(update={"version": "9.9.9"}))
    telling = replace(ready, progress=told.append)
    assert len(run_step(SCORES_STEP, telling, changed, [day_partition(DAY, "hanoi")])) == 2
    assert sum("another data contract" in line for line in told) == 2
