"""Assets of the scenario runs."""

from collections.abc import Iterator

import dagster as dg

from leak_assets.defs.partitions import BATCH_NETWORK, SINGLE_RUN, batches_by_network
from leak_assets.defs.policy import table_specs
from leak_assets.defs.publish import publish
from leak_assets.defs.resources import Platform
from leak_assets.hydraulics.steps import CODE_VERSION, TABLES, write_scenario_batches

from .config import ScenarioRunConfig


@dg.multi_asset(
    name="scenario_runs",
    specs=table_specs(
        TABLES,
        deps=[["network", "links"], ["network", "sensors"]],
        partitions_def=BATCH_NETWORK,
        code_version=CODE_VERSION,
    ),
    backfill_policy=SINGLE_RUN,
)
def scenario_runs(
    context: dg.AssetExecutionContext, platform: Platform, config: ScenarioRunConfig
) -> Iterator[dg.MaterializeResult]:
    """Simulated towns with leaks that are known, one town per batch."""
    ctx = platform.of(context)
    written = [
        item
        for network, batches in batches_by_network(context).items()
        for item in write_scenario_batches(ctx, network, batches, config.plan())
    ]
    yield from publish(context, TABLES, written)
