"""The network room's step: the tables that describe a network."""

from leak_assets.pipeline.context import StepContext
from leak_assets.warehouse import Input, Written

from .tables import links_frame, nodes_frame, pipe_distance_frame, sensors_frame

CODE_VERSION = "1"


def write_network(ctx: StepContext, network: str) -> list[Written]:
    """Write nodes, links, sensors and pipe distances of a network from its model file."""
    entry, layout = ctx.network(network), ctx.layout(network)
    frames = {
        "network.nodes": nodes_frame(entry),
        "network.links": links_frame(entry),
        "network.sensors": sensors_frame(entry, layout),
        "network.pipe_distance": pipe_distance_frame(entry),
    }
    inputs = [Input("network", entry.inp_path.name, network, entry.sha256)]
    return [
        ctx.warehouse.write(
            table, {"network": network}, frame, inputs=inputs, code_version=CODE_VERSION
        )
        for table, frame in frames.items()
    ]
