"""Entry point of Dagster: all definitions, with the policies that hold for every asset."""

import dagster as dg

import leak_assets.defs
from leak_assets.defs.automation import AUTOMATION
from leak_assets.defs.hydraulics.jobs import SCENARIOS, SIGNATURES
from leak_assets.defs.models.jobs import TRAINING
from leak_assets.defs.models.schedules import quarterly_retraining
from leak_assets.defs.models.sensors import retraining
from leak_assets.defs.policy import apply_policy
from leak_assets.defs.resources import Platform
from leak_assets.defs.sites.jobs import NETWORK_MODEL
from leak_assets.defs.telemetry.jobs import DAILY_BATCH, MICRO_BATCH
from leak_assets.defs.telemetry.schedules import daily
from leak_assets.defs.telemetry.sensors import landing_zone

defs = dg.Definitions(
    assets=dg.load_assets_from_package_module(leak_assets.defs),
    asset_checks=dg.load_asset_checks_from_package_module(leak_assets.defs),
    jobs=[NETWORK_MODEL, SCENARIOS, SIGNATURES, TRAINING, MICRO_BATCH, DAILY_BATCH],
    sensors=[landing_zone, retraining, AUTOMATION],
    schedules=[daily, quarterly_retraining],
    resources={"platform": Platform()},
).map_resolved_asset_specs(func=apply_policy)
