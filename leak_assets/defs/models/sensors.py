"""The second half of a retraining: training follows the scenario runs that were made for it."""

import dagster as dg

from leak_assets.defs.hydraulics.jobs import SCENARIOS

from .jobs import RETRAINING_TAG, TRAINING


# Two jobs, because batches and networks are partitioned differently and Dagster takes one
# partitioning for a job.
@dg.run_status_sensor(
    name="retraining",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[SCENARIOS],
    request_job=TRAINING,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Trains a network's models once the scenarios of its retraining have run.",
)
def retraining(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Request the training of the network that the scenarios were run for."""
    run = context.dagster_run
    network = run.tags.get(RETRAINING_TAG)
    if network is None:
        return dg.SkipReason(f"run {run.run_id} was not made for a retraining")
    return dg.RunRequest(run_key=f"retraining:{run.run_id}", partition_key=network)
