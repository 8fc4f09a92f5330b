"""Jobs of the models: from scenario features to models in use."""

import dagster as dg

# On scenario runs that a training shall follow: `<site>:<day>`, and how many runs there are.
RETRAINING_TAG = "leak_assets/retraining"
RETRAINING_BATCHES_TAG = "leak_assets/retraining_batches"

TRAINING = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.groups("models"),
    description="Train, evaluate, check the gates and put the models of a network in use.",
)
