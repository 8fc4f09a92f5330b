"""The daily run: yesterday once more, when all its files should be there."""

from datetime import timedelta

import dagster as dg

from leak_assets.defs.partitions import SITE_TAG, SITES, day_key

from .jobs import DAILY_BATCH


@dg.schedule(
    name="daily",
    cron_schedule="10 3 * * *",
    execution_timezone="UTC",
    job=DAILY_BATCH,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Takes yesterday of every network from landed files to incidents again, past the"
    " Great Expectations suite.",
)
def daily(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
    """Request yesterday's batch for each known network."""
    day = context.scheduled_execution_time.date() - timedelta(days=1)
    return [
        dg.RunRequest(
            run_key=f"daily:{network}:{day}",
            partition_key=day_key(day, network),
            tags={SITE_TAG: network},
        )
        for network in context.instance.get_dynamic_partitions(str(SITES.name))
    ]
