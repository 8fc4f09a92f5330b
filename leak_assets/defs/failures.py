"""What happens when a run fails: it is counted, and the sinks that hear of incidents hear of it."""

import dagster as dg

from leak_assets.defs.partitions import SITE_TAG
from leak_assets.defs.resources import Platform
from leak_assets.incidents.notifications import tell_failed_run
from leak_assets.runs.failures import record_failed_run

NAME = "failed_runs"


@dg.run_failure_sensor(
    name=NAME,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Queues each run that has failed, once by its run's id, for the webhook and the"
    " folder of the settings. A dead sink gets it later from the sensor `notifications`; where no"
    " sink is named, the log has it.",
)
def failed_runs(context: dg.RunFailureSensorContext, platform: Platform) -> None:
    """Count a failed run and hand it to the outbox."""
    run = context.dagster_run
    problem = context.failure_event.message or "the run failed"
    site = run.tags.get(SITE_TAG)
    context.log.warning("run %s of %s (%s): %s", run.run_id, run.job_name, site, problem)
    ctx = platform.at(NAME)
    record_failed_run(ctx.warehouse, run.run_id, job=run.job_name, site=site, problem=problem)
    passed = tell_failed_run(
        ctx,
        run.run_id,
        job=run.job_name,
        site=site,
        partition=run.tags.get("dagster/partition"),
        problem=problem,
    )
    for line in passed.problems:
        context.log.warning(line)
