"""The job that makes what models learn from."""

import dagster as dg

SCENARIOS = dg.define_asset_job(
    "scenarios",
    selection=dg.AssetSelection.groups("simulation")
    | dg.AssetSelection.assets(
        ["features", "training_residuals"], ["features", "training_windows"]
    ),
    # Each step fans its batches out over processes itself.
    executor_def=dg.in_process_executor,
    description="Scenario runs and their training features for a range of batches.",
)
