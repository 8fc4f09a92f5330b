"""The micro-batch: everything from a landed file to incidents, in one process.

In process because every further process would cost a second of imports and the steps of a
micro-batch take a few seconds together.
"""

import dagster as dg

MICRO_BATCH = dg.define_asset_job(
    "micro_batch",
    selection=(
        dg.AssetSelection.groups("telemetry", "features", "scores", "incidents")
        - dg.AssetSelection.assets(
            ["features", "training_residuals"], ["features", "training_windows"]
        )
    ),
    executor_def=dg.in_process_executor,
    description="Landed files to incidents for a range of days of one network.",
)
