"""Retraining by quarter, by hand and on drift: for which networks, how often, in which order."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from leak_assets.benchmark.retraining import STAGES as CARRIED_OUT
from leak_assets.definitions import defs
from leak_assets.defs.models.jobs import STAGES
from leak_assets.defs.models.schedules import quarterly_retraining
from leak_assets.defs.models.sensors import drift
from leak_assets.defs.resources import Platform
from leak_assets.models.drift_steps import ALL
from leak_assets.models.in_use import versions_in_use
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.warehouse.schemas.models import DRIFT

QUARTER = datetime(2026, 4, 1, 2, tzinfo=UTC)
DAY = date(2026, 3, 31)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, which schedules need, that knows two sites."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        made.add_dynamic_partitions("site", ["hanoi", "net3"])
        yield made


def quarterly(instance: dg.DagsterInstance, at: datetime) -> list[dg.RunRequest]:
    """Return what the daemon would launch; it refuses what a direct call lets pass."""
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=at,
        resources={"platform": Platform()},
        repository_def=defs.get_repository_def(),
    )
    with context:
        return list(quarterly_retraining.evaluate_tick(context).run_requests or ())


def tick(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    """Return what the drift's sensor asks for."""
    with dg.build_sensor_context(instance, resources={"platform": Platform()}) as context:
        answer = drift(context)
    return answer if isinstance(answer, list) else []


def write_verdict(ctx: StepContext, *, is_drift: bool, version: str) -> None:
    """Write a day's verdict as the step of the drift does."""
    row = {
        "network": "hanoi",
        "date": DAY,
        "model": "leak_detector",
        "version": version,
        "kind": ALL,
        "subject": "verdict",
        "windows": 1344,
        "reference_windows": 1344,
        "psi": None,
        "ks": None,
        "bias_z": None,
        "bias_se": None,
        "is_drift": is_drift,
    }
    frame = pl.DataFrame([row], schema=DRIFT.polars_schema)
    ctx.warehouse.write("models.drift", day_partition(DAY, "hanoi"), frame)


@pytest.mark.slow
def test_trained_networks_are_trained_each_quarter(
    instance: dg.DagsterInstance, ctx: StepContext
) -> None:
    """MOD12: a run for each network with models in use; another quarter has other towns."""
    del ctx  # its home, the environment's, has models of Hanoi and of nothing else
    (asked,) = quarterly(instance, QUARTER)
    assert asked.partition_key == "hanoi"
    assert asked.run_config["ops"]["contract"]["config"]["seed"] == 20260401
    assert dg.validate_run_config(defs.resolve_job_def("retraining"), asked.run_config)
    (later,) = quarterly(instance, QUARTER.replace(month=7))
    assert later.run_key != asked.run_key
    assert later.run_config["ops"]["contract"]["config"]["seed"] == 20260701


@pytest.mark.slow
def test_drift_asks_for_one_training_of_the_model_that_drifted(
    instance: dg.DagsterInstance, ctx: StepContext
) -> None:
    """MOD11: the same run key at each tick, and Dagster launches one run for a key."""
    version = versions_in_use(ctx.warehouse, "hanoi")["leak_detector"]
    assert tick(instance) == []
    write_verdict(ctx, is_drift=False, version=version)
    assert tick(instance) == []
    write_verdict(ctx, is_drift=True, version=version)
    (first,) = tick(instance)
    (again,) = tick(instance)
    assert first.run_key == again.run_key == f"drift:hanoi:{version}"
    assert first.partition_key == "hanoi"
    assert dg.validate_run_config(defs.resolve_job_def("retraining"), first.run_config)
    write_verdict(ctx, is_drift=True, version="of a model that is retired")
    assert tick(instance) == []


def test_the_job_runs_the_seven_steps_in_order() -> None:
    """MOD16: contract, features, train, evaluate, export, register, shadow; each after the last."""
    job = defs.resolve_job_def("retraining")
    assert tuple(CARRIED_OUT) == STAGES
    before = {
        node.name: {
            handle.node_name
            for handles in job.dependency_structure.input_to_upstream_outputs_for_node(
                node.name
            ).values()
            for handle in handles
        }
        for node in job.nodes
    }
    assert before == dict(zip(STAGES, [set(), *({name} for name in STAGES[:-1])], strict=True))


def test_definitions_know_three_triggers() -> None:
    """By quarter, by drift, and by hand: `leak-assets train` or the job's launchpad."""
    schedule = defs.resolve_schedule_def("quarterly_retraining")
    assert (schedule.job_name, schedule.cron_schedule) == ("retraining", "0 2 1 1,4,7,10 *")
    assert defs.resolve_sensor_def("drift").job_name == "retraining"
    assert defs.resolve_schedule_def("model_watch").job_name == "model_watch"
