"""Assets of what leaks do to sensors: the signatures, and where sensors should be."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from leak_assets.defs.partitions import NETWORKS
from leak_assets.defs.policy import table_specs
from leak_assets.defs.publish import publish
from leak_assets.defs.resources import Platform
from leak_assets.hydraulics.signatures import placement_steps
from leak_assets.hydraulics.signatures import steps as signature_steps
from leak_assets.reports.figures import map_figure
from leak_assets.reports.signature_figure import signature_heatmap
from leak_assets.sites import links_frame, nodes_frame
from leak_assets.warehouse.schemas.scores import LEAK_CANDIDATES

from .config import SensorPlacementConfig

LEAK_SIGNATURES = (signature_steps.TABLE,)
SENSOR_PLACEMENT = (placement_steps.TABLE,)


@dg.multi_asset(
    name="leak_signatures",
    specs=table_specs(
        LEAK_SIGNATURES,
        deps=[["network", "links"], ["network", "sensors"]],
        partitions_def=NETWORKS,
        code_version=signature_steps.CODE_VERSION,
    ),
)
def leak_signatures(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """What a leak at each pipe does to each sensor, by hour of the day and leak size."""
    ctx = platform.of(context)
    network = context.partition_key
    written = signature_steps.write_leak_signatures(ctx, network)
    frame = ctx.warehouse.read_all(LEAK_SIGNATURES[0], network=network)
    yield from publish(
        context,
        LEAK_SIGNATURES,
        written,
        metadata={
            "pipes": frame["link_id"].n_unique(),
            "sensors": frame.select("quantity", "sensor_id").n_unique(),
            "leak_sizes_m3_per_s": frame["leak_m3_per_s"].unique().sort().to_list(),
        },
        plots={"pressure residual": signature_heatmap(frame)},
    )


@dg.multi_asset(
    name="sensor_placement",
    specs=table_specs(
        SENSOR_PLACEMENT,
        deps=[["network", "nodes"], ["network", "links"], ["network", "sensors"]],
        partitions_def=NETWORKS,
        code_version=placement_steps.CODE_VERSION,
    ),
)
def sensor_placement(
    context: dg.AssetExecutionContext, platform: Platform, config: SensorPlacementConfig
) -> Iterator[dg.MaterializeResult]:
    """Junctions at which pressure sensors miss the fewest leaks and tell pipes apart best."""
    ctx = platform.of(context)
    network = context.partition_key
    written = placement_steps.write_sensor_placement(ctx, network, config.plan())
    frame = ctx.warehouse.read_all(SENSOR_PLACEMENT[0], network=network).sort("rank")
    entry = ctx.network(network)
    picture = map_figure(
        nodes=nodes_frame(entry),
        links=links_frame(entry),
        sensors=frame.with_columns(quantity=pl.lit("pressure")),
        candidates=LEAK_CANDIDATES.empty(),
        title=f"{frame.height} pressure sensors",
    )
    last = frame.row(-1, named=True)
    yield from publish(
        context,
        SENSOR_PLACEMENT,
        written,
        metadata={
            "nodes": frame["node_id"].to_list(),
            **{
                name: float(last[name])
                for name in ("seen_share", "top5_hit", "random_seen_share", "random_top5_hit")
            },
        },
        plots={"placement": picture},
    )
