"""Drift asks for a training: once for the model that drifted, however often it is looked."""

from datetime import UTC, datetime

import dagster as dg

from leak_assets.defs.resources import Platform
from leak_assets.models.drift_steps import drifted_days

from .jobs import retraining
from .schedules import retraining_config, trained_sites


@dg.sensor(
    name="drift",
    job=retraining,
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one training for a network whose newest days differ from those that its"
    " detector began with.",
)
def drift(
    context: dg.SensorEvaluationContext, platform: Platform
) -> list[dg.RunRequest] | dg.SkipReason:
    """Request the training of each network that drifts; its version is the run's key."""
    ctx = platform.at("drift")
    requests = []
    for site, version in trained_sites(context.instance, ctx).items():
        if drifted_days(ctx.warehouse, site, version):
            requests.append(
                dg.RunRequest(
                    run_key=f"drift:{site}:{version}",
                    partition_key=site,
                    run_config=retraining_config(datetime.now(UTC).date()),
                )
            )
    return requests or dg.SkipReason("no network's newest day drifts from its detector")
