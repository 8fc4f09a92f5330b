"""The job that describes a network."""

import dagster as dg

from leak_assets.defs.partitions import NETWORKS

NETWORK_MODEL = dg.define_asset_job(
    "network_model",
    selection=dg.AssetSelection.groups("network"),
    partitions_def=NETWORKS,
    executor_def=dg.in_process_executor,
    description="Nodes, links, sensors and pipe distances of a network.",
)
