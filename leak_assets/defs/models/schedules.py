"""When models are trained anew, and when it is looked whether they should be."""

from datetime import date

import dagster as dg

from leak_assets.defs.hydraulics.config import ScenarioRunConfig
from leak_assets.defs.partitions import SITES
from leak_assets.defs.resources import Platform
from leak_assets.models.config import DETECTOR
from leak_assets.models.in_use import versions_in_use
from leak_assets.pipeline.context import StepContext

from .jobs import STAGES, WATCH, retraining


def trained_sites(instance: dg.DagsterInstance, ctx: StepContext) -> dict[str, str]:
    """Return the sites with a detector in use, and its version."""
    found = {
        site: versions_in_use(ctx.warehouse, site).get(DETECTOR)
        for site in instance.get_dynamic_partitions(str(SITES.name))
    }
    return {site: version for site, version in found.items() if version is not None}


def retraining_config(day: date) -> dg.RunConfig:
    """Return the configuration of a retraining: towns that no training before has seen."""
    return dg.RunConfig(ops={STAGES[0]: ScenarioRunConfig(seed=int(f"{day:%Y%m%d}"))})


@dg.schedule(
    name="quarterly_retraining",
    cron_schedule="0 2 1 1,4,7,10 *",
    execution_timezone="UTC",
    job=retraining,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Trains the models of every network that has some in use, on new simulated towns.",
)
def quarterly_retraining(
    context: dg.ScheduleEvaluationContext, platform: Platform
) -> list[dg.RunRequest]:
    """Request one run for each trained network, with the day as seed."""
    day = context.scheduled_execution_time.date()
    ctx = platform.at(f"retraining {day}")
    return [
        dg.RunRequest(
            run_key=f"retraining:{site}:{day}",
            partition_key=site,
            run_config=retraining_config(day),
        )
        for site in trained_sites(context.instance, ctx)
    ]


@dg.schedule(
    name="model_watch",
    cron_schedule="50 3 * * *",
    execution_timezone="UTC",
    job=WATCH,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks for drift, and compares challengers, of every network with models in use.",
)
def model_watch(context: dg.ScheduleEvaluationContext, platform: Platform) -> list[dg.RunRequest]:
    """Request one run for each trained network."""
    day = context.scheduled_execution_time.date()
    return [
        dg.RunRequest(run_key=f"watch:{site}:{day}", partition_key=site)
        for site in trained_sites(context.instance, platform.at(f"watch {day}"))
    ]
