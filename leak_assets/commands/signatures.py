"""Commands of what leaks do to sensors: signatures, and places for sensors."""

from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import (
    AsJson,
    console,
    print_frame,
    print_json,
    print_rows,
    progress,
)

from .options import LARGEST_SEED, RegisteredNetwork


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(signatures)
    app.command()(place_sensors)


def signatures(network: RegisteredNetwork, *, as_json: AsJson = False) -> None:
    """Compute what a leak at each pipe does to each sensor, by hour and leak size."""
    from leak_assets.hydraulics.signatures.steps import SIGNATURES_STEP, TABLE
    from leak_assets.pipeline.runner import run_step

    ctx = _context("signatures", as_json=as_json)
    site = ctx.registered_network(network)
    name = site.name
    (written,) = run_step(SIGNATURES_STEP, ctx, site, [{"network": name}])
    found = ctx.warehouse.sql(
        f"SELECT leak_m3_per_s * 1000 AS leak_l_per_s, count(DISTINCT link_id) AS pipes,"
        f" count(DISTINCT hour) AS hours, count(DISTINCT (quantity, sensor_id)) AS sensors,"
        f" median(abs(residual_si)) FILTER (quantity = 'pressure') AS median_pressure_residual_m"
        f" FROM {TABLE} WHERE network = $network GROUP BY leak_m3_per_s ORDER BY leak_m3_per_s",
        {"network": name},
    )
    if as_json:
        file = str(ctx.warehouse.path(TABLE, {"network": name}))
        document = {"table": TABLE, "file": file, "rows": written.record.rows}
        print_json(document | {"changed": written.changed, "sizes": found.to_dicts()})
        return
    print_rows(found.to_dicts(), as_json=False, title=f"{TABLE} of {name}")
    _look_next(
        "Which sensors feel a leak at a pipe:",
        f"SELECT link_id, sensor_id, avg(residual_si) AS m FROM {TABLE}"
        f" WHERE network = '{name}' AND quantity = 'pressure'"
        " GROUP BY ALL ORDER BY abs(m) DESC LIMIT 10",
        f"Where more sensors should be: leak-assets place-sensors --network {name}",
    )


def place_sensors(
    network: RegisteredNetwork,
    sensors: Annotated[int, typer.Option(min=1, help="Pressure sensors to place.")] = 5,
    noise_m: Annotated[
        float | None,
        typer.Option(help="Scatter of a daily mean residual, m. Default: from the network."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the leaks tried and their noise.")
    ] = 1,
    *,
    as_json: AsJson = False,
) -> None:
    """Choose the junctions where pressure sensors miss the fewest leaks and pinpoint best."""
    from leak_assets.hydraulics.signatures.placement_steps import (
        PLACEMENT_STEP,
        TABLE,
        PlacementPlan,
    )
    from leak_assets.pipeline.runner import run_step
    from leak_assets.sites.registry import source_of

    ctx = _context("place-sensors", as_json=as_json)
    site = ctx.registered_network(network)
    name = site.name
    plan = PlacementPlan(sensors, noise_m, seed)
    run_step(PLACEMENT_STEP, ctx, site, [{"network": name}], plan=plan)
    found = ctx.warehouse.read_all(TABLE, network=name).sort("rank")
    noise = float(found["noise_m"][0])
    shown = found.drop("network", "x", "y", "noise_m", "seed")
    print_frame(
        found if as_json else shown,
        as_json=as_json,
        title=f"{TABLE} of {name}, leaks of sizes and hours not chosen for, noise {noise:.3g} m",
    )
    if not as_json:
        chosen = ",".join(found["node_id"])
        _look_next(
            "With coordinates:",
            f"SELECT * FROM {TABLE} WHERE network = '{name}' ORDER BY rank",
            "What they would find; and to use them:",
            f"  leak-assets expect --network {name} --pressures {chosen}",
            f"  leak-assets networks register {source_of(site.network)} --pressures {chosen}",
        )


def _context(command: str, *, as_json: bool) -> StepContext:
    return StepContext.local(command=command, progress=progress(as_json=as_json))


def _look_next(what: str, query: str, *more: str) -> None:
    lines = (what, f'  leak-assets sql "{query}"', *more)
    for line in lines:
        console().print(line, soft_wrap=True, highlight=False, markup=False)
