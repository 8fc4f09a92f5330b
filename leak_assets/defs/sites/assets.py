"""Assets of the network model."""

from collections.abc import Iterator

import dagster as dg

from leak_assets.defs.partitions import NETWORKS
from leak_assets.defs.policy import table_specs
from leak_assets.defs.publish import publish
from leak_assets.defs.resources import Platform
from leak_assets.sites.steps import CODE_VERSION, write_network

TABLES = ("network.nodes", "network.links", "network.sensors", "network.pipe_distance")


@dg.multi_asset(
    name="network",
    specs=table_specs(TABLES, partitions_def=NETWORKS, code_version=CODE_VERSION),
)
def network_tables(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """What is in the ground and what is measured, from the network's EPANET file."""
    ctx = platform.of(context)
    yield from publish(context, TABLES, write_network(ctx, context.partition_key))
