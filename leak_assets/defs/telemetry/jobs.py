"""Jobs from a landed file to incidents, in one process.

In process because every further process would cost a second of imports and the steps of a
micro-batch take a few seconds together.
"""

import dagster as dg

from leak_assets.incidents.data_incidents import DATA_INCIDENTS_STEP
from leak_assets.sites.site import SITE_KINDS
from leak_assets.telemetry.raw_steps import RAW_TABLES

_TO_INCIDENTS = dg.AssetSelection.groups(
    "telemetry", "water", "features", "detection", "incidents"
) - dg.AssetSelection.assets(
    ["features", "training_readings"],
    ["features", "training_windows"],
    ["detection", "backtests"],
    ["incidents", "daily_digests"],
    ["incidents", "weekly_digests"],
)

_RAW = [table.split(".") for table in RAW_TABLES]

# Great Expectations takes 3 s and 250 MiB to import, as long as everything else together.
_EXPECTATIONS = dg.AssetSelection.checks(
    dg.AssetCheckKey(dg.AssetKey(["telemetry", "readings"]), "expectations")
)

MICRO_BATCH = dg.define_asset_job(
    "micro_batch",
    selection=_TO_INCIDENTS - _EXPECTATIONS,
    executor_def=dg.in_process_executor,
    description="Landed files to incidents for a range of days of one network; the data contract"
    " blocks.",
)

PLANT_BATCH = dg.define_asset_job(
    "plant_batch",
    selection=dg.AssetSelection.assets(*_RAW) | dg.AssetSelection.groups("plant"),
    executor_def=dg.in_process_executor,
    description="Landed files to anomalies for a range of days of one plant.",
)

ZONES_BATCH = dg.define_asset_job(
    "zones_batch",
    selection=(
        dg.AssetSelection.groups("telemetry", "water")
        | dg.AssetSelection.assets(*(t.split(".") for t in DATA_INCIDENTS_STEP.writes))
    )
    - _EXPECTATIONS,
    executor_def=dg.in_process_executor,
    description="Landed files to water balance and data incidents for a range of days of metered"
    " areas without a model; the data contract blocks.",
)

HOUSEHOLD_BATCH = dg.define_asset_job(
    "household_batch",
    selection=dg.AssetSelection.assets(*_RAW) | dg.AssetSelection.groups("household"),
    executor_def=dg.in_process_executor,
    description="Landed files to sessions and alarms for a range of days of one home, or to the"
    " continuous flow of a utility's smart meters.",
)

MICRO_BATCHES = [MICRO_BATCH, PLANT_BATCH, ZONES_BATCH, HOUSEHOLD_BATCH]
# A job with the steps of one kind starts sooner than one that passes over those of all others.
MICRO_BATCH_OF = dict.fromkeys(SITE_KINDS, MICRO_BATCH) | {
    "plant": PLANT_BATCH,
    "zones": ZONES_BATCH,
    "household": HOUSEHOLD_BATCH,
    "meters": HOUSEHOLD_BATCH,
}

DAILY_BATCH = dg.define_asset_job(
    "daily_batch",
    selection=_TO_INCIDENTS | dg.AssetSelection.groups("plant", "household"),
    executor_def=dg.in_process_executor,
    description="The micro-batch of whole days: the Great Expectations suite blocks as well.",
)
