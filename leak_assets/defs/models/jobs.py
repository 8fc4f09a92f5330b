"""Jobs of the models: from scenario features to models in force."""

import dagster as dg

from leak_assets.defs.partitions import NETWORKS

TRAINING = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.groups("models"),
    partitions_def=NETWORKS,
    executor_def=dg.multiprocess_executor.configured({"max_concurrent": 1}),
    description="Train, evaluate, check the gates and put the models of a network in force.",
)
