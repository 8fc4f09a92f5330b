"""A lake with incidents of stories, as the step makes them, for tests of what people do."""

from pathlib import Path

import polars as pl

from leak_assets.incidents.steps import INCIDENTS_STEP
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.warehouse.schemas.network import NODES, ZONES
from leak_assets_tests.hypotheses import FIRST_DAY, ONE_DAY, Detected, midnight, pipes_in_a_row

NET = "net1"


def lake(home: Path, detected: Detected, days: int = 10, **settings: object) -> StepContext:
    """Return a context whose lake has the incidents of some days, and the network's places."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home, **settings), run_id="run-1")
    ctx.warehouse.write("network.links", {"network": NET}, pipes_in_a_row())
    ctx.warehouse.write("network.nodes", {"network": NET}, nodes_in_a_row())
    zones = [(NET, pipe, zone) for pipe, zone in (("p1", "0"), ("p2", "0"), ("p3", "1"))]
    ctx.warehouse.write(
        "network.zones",
        {"network": NET},
        pl.DataFrame(zones, schema=ZONES.polars_schema, orient="row"),
    )
    derive(ctx, detected, days)
    return ctx


def derive(ctx: StepContext, detected: Detected, days: int = 10) -> None:
    """Deliver hypotheses of some days, in place of what was there, and make the incidents."""
    wanted = [FIRST_DAY + number * ONE_DAY for number in range(days)]
    for number, partition in enumerate(day_partitions(wanted, NET)):
        own = (pl.col("at") > midnight(number)) & (pl.col("at") <= midnight(number + 1))
        rows = detected.filter(own)
        ctx.warehouse.write("detection.hypotheses", partition, rows.hypotheses)
        ctx.warehouse.write("detection.leak_candidates", partition, rows.candidates)
        ctx.warehouse.write("detection.evidence", partition, rows.evidence)
    run_step(INCIDENTS_STEP, ctx, network_site(NET, ctx.settings), day_partitions(wanted, NET))


def nodes_in_a_row() -> pl.DataFrame:
    """Return rows of `network.nodes`: five junctions, 100 m apart."""
    return pl.DataFrame(
        {
            "network": NET,
            "node_id": list("abcde"),
            "node_type": "junction",
            "elevation_m": 0.0,
            "base_demand_m3_per_s": 0.0,
            "x": [0.0, 100.0, 200.0, 300.0, 400.0],
            "y": 0.0,
        },
        schema=NODES.polars_schema,
    )


def only_id(ctx: StepContext) -> str:
    """Return the name of the one incident that there is."""
    names = ctx.warehouse.sql("SELECT incident_id FROM incidents.all_incidents")["incident_id"]
    (name,) = names.to_list()
    return str(name)
