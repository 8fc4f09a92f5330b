"""The step of the tables that describe a network.

It stands here and not in `sites`, which lies below what a step is.
"""

from collections.abc import Iterator, Sequence

from leak_assets.sites.tables import links_frame, nodes_frame, pipe_distance_frame, sensors_frame

from .given import NETWORK
from .step import Frames, Partition, Step
from .work import Work


def network_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield nodes, links, sensors and pipe distances of a network from its model file."""
    entry, layout = work.network.network, work.network.layout
    for partition in partitions:
        yield (
            partition,
            {
                "network.nodes": nodes_frame(entry),
                "network.links": links_frame(entry),
                "network.sensors": sensors_frame(entry, layout),
                "network.pipe_distance": pipe_distance_frame(entry),
            },
        )


NETWORK_STEP = Step(
    name="network",
    partition="site",
    writes=("network.nodes", "network.links", "network.sensors", "network.pipe_distance"),
    reads=(),
    given=(NETWORK,),
    compute=network_frames,
    description="What is in the ground and what is measured, from the network's EPANET file.",
    # What is imported above is all it is made of; rooms below the machinery do not count else.
    code=("leak_assets.sites.tables",),
)
