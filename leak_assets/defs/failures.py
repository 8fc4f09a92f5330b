"""What happens when a run fails: the sinks that hear of incidents hear of it, too."""

import json

import dagster as dg

from leak_assets.defs.partitions import SITE_TAG
from leak_assets.defs.resources import Platform
from leak_assets.incidents.sinks import sinks

LONGEST = 500


@dg.run_failure_sensor(
    name="failed_runs",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Tells the webhook and the folder of the settings of each run that has failed, once"
    " by its run's id; where no sink is named, or one is dead, its log does.",
)
def failed_runs(context: dg.RunFailureSensorContext, platform: Platform) -> None:
    """Hand a failed run to every sink."""
    run, event = context.dagster_run, context.failure_event
    body = json.dumps(
        {
            "kind": "failed_run",
            "run_id": run.run_id,
            "job": run.job_name,
            "site": run.tags.get(SITE_TAG),
            "partition": run.tags.get("dagster/partition"),
            "problem": (event.message or "the run failed")[:LONGEST],
        }
    )
    context.log.warning(body)
    for sink in sinks(platform.settings()):
        delivery = sink.deliver(f"failed-run-{run.run_id}", body)
        if delivery.problem:
            context.log.warning("%s: %s", sink.name, delivery.problem)
