"""Which executor runs which kind of job."""

from pathlib import Path

import pydantic
import pytest

from leak_assets.definitions import build_defs
from leak_assets.deployment.executors import job_executor
from leak_assets.settings import Settings

JOBS = ("scenarios", "signatures", "training", "micro_batch")


@pytest.mark.parametrize("name", ["in_process", "multiprocess"])
def test_the_setting_moves_heavy_jobs_and_leaves_the_micro_batch(tmp_path: Path, name: str) -> None:
    """Scenario and training jobs follow the setting; the micro-batch starts no process."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path, LEAK_ASSETS_EXECUTOR=name)
    defs = build_defs(executor=job_executor(settings))
    found = {job: defs.resolve_job_def(job).executor_def.name for job in JOBS}
    assert found == dict.fromkeys(JOBS, name) | {"micro_batch": "in_process"}


def test_an_unknown_executor_is_refused_when_settings_load(tmp_path: Path) -> None:
    """Not in the middle of a run."""
    with pytest.raises(pydantic.ValidationError, match="LEAK_ASSETS_EXECUTOR"):
        Settings(LEAK_ASSETS_HOME=tmp_path, LEAK_ASSETS_EXECUTOR="teleport")
