"""Retraining every quarter: new scenarios first, or there is nothing new to learn."""

import dagster as dg

from leak_assets.defs.hydraulics.config import ScenarioRunConfig
from leak_assets.defs.hydraulics.jobs import SCENARIOS
from leak_assets.defs.partitions import SITES, batch_key
from leak_assets.defs.resources import Platform
from leak_assets.models.config import DETECTOR
from leak_assets.models.registry import champion
from leak_assets.models.steps import registry_events

from .jobs import RETRAINING_BATCHES_TAG, RETRAINING_TAG


@dg.schedule(
    name="quarterly_retraining",
    cron_schedule="0 2 1 1,4,7,10 *",
    execution_timezone="UTC",
    job=SCENARIOS,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Simulates new towns for every network with models in use, one run for each; the"
    " training follows once all are there.",
)
def quarterly_retraining(
    context: dg.ScheduleEvaluationContext, platform: Platform
) -> list[dg.RunRequest]:
    """Request one run per scenario batch for each trained network, with the day as seed.

    Batches are independent partitions, so that any executor and launcher can spread them.
    """
    day = context.scheduled_execution_time.date()
    config = ScenarioRunConfig(seed=int(f"{day:%Y%m%d}"))
    warehouse = platform.at(f"retraining {day}").warehouse
    batches = config.plan().batch_names()
    return [
        dg.RunRequest(
            run_key=f"retraining:{site}:{day}:{batch}",
            partition_key=batch_key(batch, site),
            tags={
                RETRAINING_TAG: f"{site}:{day}",
                RETRAINING_BATCHES_TAG: str(len(batches)),
            },
            run_config=dg.RunConfig(ops={"scenario_runs": config}),
        )
        for site in context.instance.get_dynamic_partitions(str(SITES.name))
        if champion(registry_events(warehouse, site), site, DETECTOR) is not None
        for batch in batches
    ]
