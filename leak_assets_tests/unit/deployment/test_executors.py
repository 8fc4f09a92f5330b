"""Which executor runs which kind of job."""

from pathlib import Path

import pydantic
import pytest

from leak_assets.deployment.executors import executors
from leak_assets.settings import Settings


@pytest.mark.parametrize("name", ["in_process", "multiprocess"])
def test_the_setting_moves_heavy_jobs_and_leaves_the_micro_batch(tmp_path: Path, name: str) -> None:
    """Scenario and training jobs follow the setting; the micro-batch starts no process."""
    found = executors(Settings(LEAK_ASSETS_HOME=tmp_path, LEAK_ASSETS_EXECUTOR=name))
    assert {kind: executor.name for kind, executor in found.items()} == {
        "micro_batch": "in_process",
        "scenarios": name,
        "training": name,
    }


def test_an_unknown_executor_is_refused_when_settings_load(tmp_path: Path) -> None:
    """Not in the middle of a run."""
    with pytest.raises(pydantic.ValidationError, match="LEAK_ASSETS_EXECUTOR"):
        Settings(LEAK_ASSETS_HOME=tmp_path, LEAK_ASSETS_EXECUTOR="teleport")
