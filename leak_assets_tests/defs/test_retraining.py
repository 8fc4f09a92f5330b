"""Quarterly retraining: for which networks, on which scenarios, and what follows them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from leak_assets.definitions import defs
from leak_assets.defs.models.schedules import quarterly_retraining
from leak_assets.defs.models.sensors import retraining
from leak_assets.defs.partitions import batch_key
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.context import StepContext

pytestmark = pytest.mark.slow
QUARTER = datetime(2026, 4, 1, 2, tzinfo=UTC)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, which schedules need, that knows two sites."""
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as made:
        made.add_dynamic_partitions("site", ["hanoi", "net3"])
        yield made


def requests(instance: dg.DagsterInstance, at: datetime) -> list[dg.RunRequest]:
    """Return what the daemon would launch; it refuses what a direct call lets pass."""
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=at,
        resources={"platform": Platform()},
        repository_def=defs.get_repository_def(),
    )
    with context:
        return list(quarterly_retraining.evaluate_tick(context).run_requests or ())


def test_trained_networks_get_new_scenarios(instance: dg.DagsterInstance, ctx: StepContext) -> None:
    """A run for each batch of networks with models in use; another quarter has another seed."""
    del ctx  # its home, the environment's, has models of Hanoi and of nothing else
    asked = requests(instance, QUARTER)
    assert [r.partition_key for r in asked] == [batch_key(f"b{n:03d}", "hanoi") for n in range(16)]
    assert len({r.run_key for r in asked}) == 16
    for request in asked:
        assert request.tags["leak_assets/retraining"] == "hanoi:2026-04-01"
        assert request.run_config["ops"]["scenario_runs"]["config"]["seed"] == 20260401
    assert dg.validate_run_config(defs.resolve_job_def("scenarios"), asked[0].run_config)
    later = requests(instance, QUARTER.replace(month=7))
    assert {r.run_config["ops"]["scenario_runs"]["config"]["seed"] for r in later} == {20260701}
    assert not {r.run_key for r in later} & {r.run_key for r in asked}


def follow(
    instance: dg.DagsterInstance, tags: Mapping[str, str], *, succeeds: bool = True
) -> dg.RunRequest | dg.SkipReason | None:
    """Return what the sensor asks for after a run of scenarios with these tags."""

    @dg.op
    def simulate() -> None:
        if not succeeds:
            raise RuntimeError("a pump that cannot deliver")

    @dg.job(name="scenarios")
    def scenarios() -> None:
        simulate()

    result = scenarios.execute_in_process(instance=instance, tags=dict(tags), raise_on_error=False)
    if not succeeds:
        return None
    return retraining(
        dg.build_run_status_sensor_context(
            sensor_name="retraining",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_success_event(),
        )
    )


def as_launched(request: dg.RunRequest) -> dict[str, str]:
    """Return the tags that the daemon gives the run of a request."""
    return {**request.tags, "dagster/partition": str(request.partition_key)}


def test_training_follows_the_last_batch_of_a_retraining(
    instance: dg.DagsterInstance, ctx: StepContext
) -> None:
    """Fifteen of sixteen are not enough, nor is one of them twice; a failed one is run again."""
    del ctx
    tags = [as_launched(request) for request in requests(instance, QUARTER)]
    for done, of_batch in enumerate(tags[:-1], 1):
        answer = follow(instance, of_batch)
        assert isinstance(answer, dg.SkipReason)
        assert f"{done} of 16 batches of hanoi:2026-04-01" in str(answer.skip_message)
    follow(instance, tags[-1], succeeds=False)
    assert isinstance(follow(instance, tags[0]), dg.SkipReason)
    training = follow(instance, tags[-1])
    assert isinstance(training, dg.RunRequest)
    assert training.partition_key == "hanoi"
    again = follow(instance, tags[0])
    assert isinstance(again, dg.RunRequest)
    assert again.run_key == training.run_key, "Dagster launches one run for a key"


def test_retrainings_do_not_count_for_each_other(
    instance: dg.DagsterInstance, ctx: StepContext
) -> None:
    """Batches of the quarter before are of other towns."""
    del ctx
    for request in requests(instance, QUARTER)[:-1]:
        follow(instance, as_launched(request))
    later = requests(instance, QUARTER.replace(month=7))[-1]
    answer = follow(instance, as_launched(later))
    assert isinstance(answer, dg.SkipReason)
    assert "1 of 16" in str(answer.skip_message)


def test_scenarios_run_by_hand_start_no_training(instance: dg.DagsterInstance) -> None:
    """Somebody may want scenarios only."""
    assert isinstance(follow(instance, {}), dg.SkipReason)


def test_definitions_know_schedule_and_sensor() -> None:
    """The schedule makes scenarios, the sensor starts the training."""
    assert defs.resolve_schedule_def("quarterly_retraining").job_name == "scenarios"
    assert defs.resolve_sensor_def("retraining").job_name == "training"
