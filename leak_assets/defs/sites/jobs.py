"""The job that describes a network; a new network's first days wait for it."""

import dagster as dg

NETWORK_MODEL = dg.define_asset_job(
    "network_model",
    selection=dg.AssetSelection.groups("network")
    | dg.AssetSelection.assets(["simulation", "leak_signatures"]),
    description="What follows from a network's model alone and days need: nodes, links, sensors,"
    " pipe distances, and what a leak at each pipe does to each sensor.",
)
