"""The step that writes which metered zone each link lies in.

What a zone is, `zones` says; which name it has is decided here, once, for tables and people.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Frames, Partition, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.schemas.network import ZONES

from .zones import metered_zones

TABLE = "network.zones"


def zones_frame(site: NetworkSite) -> pl.DataFrame:
    """Return rows of `network.zones`; links that are metered, or between zones, have none."""
    model = site.network.shared_model()
    zones = metered_zones(model, site.layout)
    zone_of = {name: str(number) for number, zone in enumerate(zones) for name in zone.junctions}
    metered = set(site.layout.ids("flow"))
    rows = []
    for name, link in model.links():
        ends = {zone_of[n] for n in (link.start_node_name, link.end_node_name) if n in zone_of}
        if len(ends) == 1 and name not in metered:
            rows.append((site.name, name, ends.pop()))
    return pl.DataFrame(rows, schema=ZONES.polars_schema, orient="row")


def zone_frames(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
    """Yield the zones of a network."""
    for partition in partitions:
        yield partition, {TABLE: zones_frame(work.network)}


ZONES_STEP = Step(
    name="zones",
    partition="site",
    writes=(TABLE,),
    reads=(),
    given=(NETWORK,),
    compute=zone_frames,
    description="Which metered zone each link lies in.",
)
