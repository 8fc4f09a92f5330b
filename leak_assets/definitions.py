"""Entry point of Dagster: all definitions, with the policies that hold for every asset."""

from collections.abc import Callable

import dagster as dg

import leak_assets.defs
from leak_assets.defs.assets import build_assets
from leak_assets.defs.automation import stale_days
from leak_assets.defs.benchmark.backtests import BACKTEST, backtests
from leak_assets.defs.failures import failed_runs
from leak_assets.defs.hydraulics.jobs import SCENARIOS, SIGNATURES
from leak_assets.defs.incidents.sensors import notifications
from leak_assets.defs.made_days import build_day_checks
from leak_assets.defs.models.jobs import TRAINING, WATCH, retraining
from leak_assets.defs.models.schedules import model_watch, quarterly_retraining
from leak_assets.defs.models.sensors import drift
from leak_assets.defs.models.shadow import shadow_report
from leak_assets.defs.policy import apply_policy
from leak_assets.defs.reports.digests import (
    DAILY_DIGEST,
    DIGEST,
    daily_digests,
    mornings,
    weekly,
    weekly_digests,
)
from leak_assets.defs.resources import Platform
from leak_assets.defs.runs.jobs import retention
from leak_assets.defs.runs.schedules import nightly_retention
from leak_assets.defs.sites.jobs import NETWORK_MODEL
from leak_assets.defs.telemetry.jobs import DAILY_BATCH, MICRO_BATCH
from leak_assets.defs.telemetry.schedules import daily
from leak_assets.defs.telemetry.sensors import landing_zone
from leak_assets.deployment.executors import job_executor
from leak_assets.incidents.policy import raising_method
from leak_assets.runs.graph import GRAPH, Graph


def build_defs(
    *,
    graph: Graph = GRAPH,
    platform: Platform | None = None,
    progress: Callable[[str], None] | None = None,
    executor: dg.ExecutorDefinition | None = None,
) -> dg.Definitions:
    """Return all definitions; tests and the demo swap parts here.

    Parameters
    ----------
    graph
        The steps.
    platform
        Where data lives; by default as the environment says.
    progress
        Gets each line of progress of runs in this process; by default the run's log does.
    executor
        Of the jobs that take minutes; by default as the environment says.

    Raises
    ------
    InputError
        A setting names what is not registered.
    """
    platform = platform or Platform()
    settings = platform.settings()
    # Refused here, not in the middle of a run.
    raising_method(settings)
    return dg.Definitions(
        assets=[
            *build_assets(graph, progress),
            backtests,
            shadow_report,
            daily_digests,
            weekly_digests,
        ],
        asset_checks=[
            *dg.load_asset_checks_from_package_module(leak_assets.defs),
            *build_day_checks(graph),
        ],
        jobs=[
            NETWORK_MODEL,
            SCENARIOS,
            SIGNATURES,
            TRAINING,
            retraining,
            WATCH,
            BACKTEST,
            DAILY_DIGEST,
            DIGEST,
            MICRO_BATCH,
            DAILY_BATCH,
            retention,
        ],
        sensors=[landing_zone, drift, stale_days, notifications, failed_runs],
        schedules=[
            daily,
            quarterly_retraining,
            model_watch,
            nightly_retention,
            mornings,
            weekly,
        ],
        resources={"platform": platform},
        executor=executor or job_executor(settings),
    ).map_resolved_asset_specs(func=apply_policy)


defs = build_defs()
