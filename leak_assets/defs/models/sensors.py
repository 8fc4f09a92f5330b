"""The second half of a retraining: training follows the scenario runs that were made for it."""

import dagster as dg

from leak_assets.defs.hydraulics.jobs import SCENARIOS

from .jobs import RETRAINING_BATCHES_TAG, RETRAINING_TAG, TRAINING


# Two jobs, because batches and sites are partitioned differently and Dagster takes one
# partitioning for a job.
@dg.run_status_sensor(
    name="retraining",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[SCENARIOS],
    request_job=TRAINING,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Trains a network's models once all scenario batches of its retraining have run.",
)
def retraining(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Request the training of the network whose last batch has run."""
    run = context.dagster_run
    of = run.tags.get(RETRAINING_TAG)
    if of is None:
        return dg.SkipReason(f"run {run.run_id} was not made for a retraining")
    wanted = int(run.tags[RETRAINING_BATCHES_TAG])
    runs = context.instance.get_runs(
        dg.RunsFilter(tags={RETRAINING_TAG: of}, statuses=[dg.DagsterRunStatus.SUCCESS])
    )
    # Batches, not runs: one that ran twice does not stand for one that failed.
    done = {run.tags.get("dagster/partition") for run in runs}
    if len(done) < wanted:
        return dg.SkipReason(f"{len(done)} of {wanted} batches of {of} have run")
    return dg.RunRequest(run_key=f"retraining:{of}", partition_key=of.rpartition(":")[0])
