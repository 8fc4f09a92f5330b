"""Retraining every quarter: new scenarios first, or there is nothing new to learn."""

import dagster as dg

from leak_assets.defs.hydraulics.config import ScenarioRunConfig
from leak_assets.defs.hydraulics.jobs import SCENARIOS
from leak_assets.defs.partitions import NETWORKS
from leak_assets.defs.resources import Platform
from leak_assets.models.config import DETECTOR
from leak_assets.models.registry import champion
from leak_assets.models.steps import registry_events

from .jobs import RETRAINING_TAG


@dg.schedule(
    name="quarterly_retraining",
    cron_schedule="0 2 1 1,4,7,10 *",
    execution_timezone="UTC",
    job=SCENARIOS,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Simulates new towns for every network with models in force; the training follows"
    " once they are there.",
)
def quarterly_retraining(
    context: dg.ScheduleEvaluationContext, platform: Platform
) -> list[dg.RunRequest]:
    """Request scenario runs for each trained network, with the day as seed."""
    day = context.scheduled_execution_time.date()
    config = ScenarioRunConfig(seed=int(f"{day:%Y%m%d}"))
    ctx = platform.at(f"retraining {day}")
    return [
        dg.RunRequest(
            run_key=f"retraining:{network}:{day}",
            tags=_all_batches(config, network) | {RETRAINING_TAG: network},
            run_config=dg.RunConfig(ops={"scenario_runs": config}),
        )
        for network in context.instance.get_dynamic_partitions(str(NETWORKS.name))
        if champion(registry_events(ctx, network), network, DETECTOR) is not None
    ]


def _all_batches(config: ScenarioRunConfig, network: str) -> dict[str, str]:
    names = config.plan().batch_names()
    first, last = (
        str(dg.MultiPartitionKey({"batch": batch, "network": network}))
        for batch in (names[0], names[-1])
    )
    return {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
