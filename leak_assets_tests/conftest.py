"""What the tests of several rooms share: a trained home, a town's files, Dagster instances."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from leak_assets.benchmark.retraining import Training, train_network
from leak_assets.definitions import build_defs
from leak_assets.defs.partitions import run_tags
from leak_assets.defs.resources import Platform
from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
from leak_assets.models.config import MODELS, load_config
from leak_assets.models.plan import TrainingPlan
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.system.locks import exclusive
from leak_assets_tests.days import TOWN_DAYS, land
from leak_assets_tests.towns import write_town_files

# Leaks that nobody could miss: these tests are about the way of the data, not about how small a
# leak can be seen (that is what the benchmarks measure).
PLAN = ScenarioPlan(
    batches=8,
    scenarios_per_batch=12,
    smallest_leak_mm=250.0,
    largest_leak_mm=400.0,
    incipient_share=0.0,
    seed=3,
)


MadeOnce = Callable[[str, Callable[[Path], None]], Path]

# The town's ten days leave no room for a week without leaks.
FEW_REFERENCE_DAYS = "reference_days: 4\n"


@pytest.fixture(scope="session", autouse=True)
def _no_environment_leaks_in() -> Iterator[None]:
    """Keep a developer's language model and home out of the tests."""
    kept = {
        name: os.environ.pop(name)
        for name in ("OPENAI_API_BASE", "LEAK_ASSETS_HOME", "DAGSTER_HOME")
        if name in os.environ
    }
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    yield
    os.environ.update(kept)


def write_quick_configs(settings: Settings, **changes: Any) -> None:
    """Write a home's configurations: without the folds of five trainings, drift over three days."""
    settings.configs_dir.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        content = load_config(name).model_dump(mode="json", exclude_none=True)
        content["split"]["folds"] = 0
        if "drift" in content:
            content["drift"]["days"] = 3
        content |= {"change_request": "CR-1", **changes}
        (settings.configs_dir / f"{name}.yaml").write_text(yaml.safe_dump(content))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Return `(name, make) -> folder`: made by the process that asks first, taken by the others."""
    root = tmp_path_factory.getbasetemp()
    # Each of xdist's processes has a folder of its own in one of all.
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, is_whole = root / "made-once" / name, root / "made-once" / f"{name}.whole"
        with exclusive(root / "made-once" / f"{name}.lock"):
            if not is_whole.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                is_whole.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def trained(made_once: MadeOnce) -> Path:
    """A home with models of Hanoi in use; copy it before changing it."""
    return made_once("trained", _train)


def _train(home: Path) -> None:
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="training")
    ctx.settings.networks_dir.mkdir(parents=True)
    (ctx.settings.networks_dir / "hanoi.yaml").write_text(FEW_REFERENCE_DAYS)
    write_quick_configs(ctx.settings)
    plan = TrainingPlan.of(ctx.settings)
    failures = train_network(Training(ctx, ctx.registered_network("hanoi"), plan, PLAN))
    assert failures == {}, "the gates must hold on leaks of this size"


@pytest.fixture(scope="session")
def town_files(made_once: MadeOnce) -> Path:
    """Ten days of a town like Hanoi with two leaks: `landing/hanoi/*.csv` and `truth/`."""

    def make(folder: Path) -> None:
        write_town_files(network_site("hanoi", Settings(LEAK_ASSETS_HOME=folder)), folder)

    return made_once("town", make)


@pytest.fixture(scope="session")
def ten_days(trained: Path, town_files: Path, made_once: MadeOnce) -> Path:
    """A home in which Dagster took the town's ten days to incidents; for reading only."""

    def make(folder: Path) -> None:
        shutil.copytree(trained, folder / "home")
        told = _take_ten_days(folder / "home", town_files)
        (folder / "progress.txt").write_text("\n".join(told))

    return made_once("ten-days", make) / "home"


@pytest.fixture(scope="session")
def ten_days_progress(ten_days: Path) -> list[str]:
    """Lines of progress of the run that made `ten_days`."""
    return (ten_days.parent / "progress.txt").read_text("utf-8").splitlines()


def _take_ten_days(home: Path, town_files: Path) -> list[str]:
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    land(town_files, ctx)
    told: list[str] = []
    defs = build_defs(platform=Platform(home=str(home)), progress=told.append)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("site", ["hanoi"])
        for job, asked in (
            ("signatures", {"partition_key": "hanoi"}),
            ("micro_batch", {"tags": run_tags(TOWN_DAYS, "hanoi")}),
        ):
            result = defs.resolve_job_def(job).execute_in_process(instance=instance, **asked)
            assert result.success
    return told


@pytest.fixture
def home(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, with models of Hanoi in use, as the environment's home."""
    shutil.copytree(trained, tmp_path / "home")
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def ctx(home: Path) -> StepContext:
    """Steps' context in `home`."""
    return StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="test")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that knows the site and forgets everything afterwards."""
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("site", ["hanoi"])
        yield made
