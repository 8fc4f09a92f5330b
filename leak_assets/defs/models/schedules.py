"""Retraining every quarter."""

import dagster as dg

from leak_assets.defs.partitions import NETWORKS

from .jobs import TRAINING


@dg.schedule(
    name="quarterly_retraining",
    cron_schedule="0 2 1 1,4,7,10 *",
    execution_timezone="UTC",
    job=TRAINING,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Retrains the models of every network that has telemetry or scenarios.",
)
def quarterly_retraining(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Request one training run for each known network."""
    day = context.scheduled_execution_time.date().isoformat()
    return [
        dg.RunRequest(run_key=f"retraining:{network}:{day}", partition_key=network)
        for network in context.instance.get_dynamic_partitions(str(NETWORKS.name))
    ]
