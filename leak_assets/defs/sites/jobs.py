"""The job that describes a network."""

import dagster as dg

NETWORK_MODEL = dg.define_asset_job(
    "network_model",
    selection=dg.AssetSelection.groups("network"),
    executor_def=dg.in_process_executor,
    description="Nodes, links, sensors and pipe distances of a network.",
)
