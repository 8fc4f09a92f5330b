"""Quarterly retraining: for which networks, on which scenarios, and what follows them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from leak_assets.definitions import defs
from leak_assets.defs.models.schedules import quarterly_retraining
from leak_assets.defs.models.sensors import retraining
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.context import StepContext

pytestmark = pytest.mark.slow
QUARTER = datetime(2026, 4, 1, 2, tzinfo=UTC)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, which schedules need, that knows two networks."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        made.add_dynamic_partitions("network", ["hanoi", "net3"])
        yield made


def requests(instance: dg.DagsterInstance, at: datetime) -> list[dg.RunRequest]:
    """Return what the daemon would launch; it refuses what a direct call lets pass."""
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=at, resources={"platform": Platform()}
    )
    with context:
        return list(quarterly_retraining.evaluate_tick(context).run_requests or ())


def test_trained_networks_get_new_scenarios(instance: dg.DagsterInstance, ctx: StepContext) -> None:
    """One run for each network with models in force; another quarter has another seed."""
    del ctx  # its home, the environment's, has models of Hanoi and of nothing else
    (request,) = requests(instance, QUARTER)
    assert request.run_key == "retraining:hanoi:2026-04-01"
    assert request.tags["dagster/asset_partition_range_start"] == "b000|hanoi"
    assert request.tags["dagster/asset_partition_range_end"] == "b015|hanoi"
    assert request.run_config["ops"]["scenario_runs"]["config"]["seed"] == 20260401
    assert dg.validate_run_config(defs.resolve_job_def("scenarios"), request.run_config)
    (later,) = requests(instance, QUARTER.replace(month=7))
    assert later.run_config["ops"]["scenario_runs"]["config"]["seed"] == 20260701


def follow(instance: dg.DagsterInstance, tags: Mapping[str, str]) -> object:
    """Return what the sensor asks for after a run of scenarios with these tags."""

    @dg.op
    def nothing() -> None: ...

    @dg.job(name="scenarios")
    def scenarios() -> None:
        nothing()

    result = scenarios.execute_in_process(instance=instance, tags=dict(tags))
    return retraining(
        dg.build_run_status_sensor_context(
            sensor_name="retraining",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_success_event(),
        )
    )


def test_training_follows_the_scenarios_of_a_retraining(
    instance: dg.DagsterInstance, ctx: StepContext
) -> None:
    """The tag of the schedule's own request is what the sensor reads."""
    del ctx
    (request,) = requests(instance, QUARTER)
    kept = {name: value for name, value in request.tags.items() if "partition" not in name}
    training = follow(instance, kept)
    assert isinstance(training, dg.RunRequest)
    assert training.partition_key == "hanoi"


def test_scenarios_run_by_hand_start_no_training(instance: dg.DagsterInstance) -> None:
    """Somebody may want scenarios only."""
    assert isinstance(follow(instance, {}), dg.SkipReason)


def test_definitions_know_schedule_and_sensor() -> None:
    """The schedule makes scenarios, the sensor starts the training."""
    assert defs.resolve_schedule_def("quarterly_retraining").job_name == "scenarios"
    assert defs.resolve_sensor_def("retraining").job_name == "training"
