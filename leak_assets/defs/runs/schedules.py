"""When what is old is removed: at night, after the daily batch."""

import dagster as dg

from .jobs import retention

nightly_retention = dg.ScheduleDefinition(
    name="retention",
    job=retention,
    cron_schedule="40 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Removes interim tables and revisions that the settings call old.",
)
