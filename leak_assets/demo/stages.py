"""The demo's runs: the jobs of the graph, in this process, on the instance that the UI shows."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from leak_assets.definitions import build_defs
from leak_assets.defs.partitions import SITES, batch_key, range_tags, run_tags
from leak_assets.errors import InputError

from .town import FIRST_DAY, DemoSize

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Stages:
    """Runs jobs of the graph one after the other.

    Parameters
    ----------
    show
        Called with each line of progress.
    """

    def __init__(self, instance: dg.DagsterInstance, show: Callable[[str], None]) -> None:
        self.instance = instance
        self._defs = build_defs(progress=show)

    def network(self, name: str) -> None:
        """Describe the network."""
        self.instance.add_dynamic_partitions(str(SITES.name), [name])
        self._run("network_model", partition_key=name)

    def scenarios(self, size: DemoSize) -> None:
        """Simulate all batches and compute their training features."""
        first, last = (batch_key(f"b{n:03d}", size.network) for n in (0, size.batches - 1))
        smallest, largest = size.scenario_leaks_mm or (None, None)
        config = {
            "batches": size.batches,
            "scenarios_per_batch": size.scenarios_per_batch,
            "smallest_leak_mm": smallest,
            "largest_leak_mm": largest,
        }
        self._run(
            "scenarios",
            tags=range_tags(first, last),
            config={"ops": {"scenario_runs": {"config": config}}},
        )

    def training(self, network: str) -> None:
        """Train, evaluate, check the gates, put the models in use."""
        self._run("training", partition_key=network)

    def daily_batch(self, size: DemoSize) -> None:
        """Take the landed days, which are whole, to incidents."""
        days = [(FIRST_DAY + timedelta(days=number)).date() for number in range(size.days)]
        self._run("daily_batch", tags=run_tags(days, size.network))

    def _run(self, job: str, *, config: Mapping[str, Any] | None = None, **arguments: Any) -> None:
        result = self._defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config={**_QUIET, **(config or {})},
            raise_on_error=False,
            **arguments,
        )
        if not result.success:
            raise InputError(
                f"the job {job} failed: {_reason(self.instance, result.run_id)}",
                remedy=f"`leak-assets dev` shows run {result.run_id} with its log",
            )


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the first line of what went wrong: a failed check, else the failed step's error."""
    for record in instance.all_logs(run_id):
        event = record.dagster_event
        if event is None:
            continue
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed:
                return f"check {evaluation.check_name}: {evaluation.description}"
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            error = event.step_failure_data.error
            cause = error.cause or error if error else None
            return str(cause.message).strip().splitlines()[-1] if cause else event.message or ""
    return "no step failed"
