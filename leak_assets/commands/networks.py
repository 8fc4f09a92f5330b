"""Commands for network models: list them, register one's own."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, print_rows

from .sensor_options import Flows, Levels, Pressures, with_sensors

networks_app = typer.Typer(no_args_is_help=True, help="List and register network models.")


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(networks_app, name="networks")


@networks_app.command("list")
def list_networks(*, as_json: AsJson = False) -> None:
    """List packaged and registered networks."""
    from leak_assets.sites import packaged_names, registered_names

    settings = StepContext.local().settings
    own = registered_names(settings)
    rows = [{"network": n, "from": "registered"} for n in own]
    rows += [{"network": n, "from": "package"} for n in packaged_names() if n not in own]
    print_rows(rows, as_json=as_json, title="Networks")


@networks_app.command("register")
def register_network(
    path: Annotated[str, typer.Argument(help="EPANET .inp file, or name of a packaged network.")],
    name: Annotated[str | None, typer.Option(help="Name; default: from the file name.")] = None,
    reference_first_day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First leak-free day of the telemetry."),
    ] = None,
    reference_days: Annotated[int | None, typer.Option(min=1, help="Leak-free days.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="IANA zone of local days and nights, e.g. Europe/Rome.")
    ] = None,
    country: Annotated[
        str | None, typer.Option(help="ISO 3166 code for holidays, e.g. IT or DE-BY.")
    ] = None,
    cadence_s: Annotated[
        int | None,
        typer.Option(min=1, help="Seconds between two readings, up to 1800; default: 300."),
    ] = None,
    pressures: Pressures = None,
    flows: Flows = None,
    levels: Levels = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Check a network model and register it by name.

    Again for one that is registered: what is given changes, the rest stays. --pressures, --flows
    and --levels say where sensors are; of what is not named a spread of sensors is assumed.
    """
    from leak_assets.features.calendar import Calendar
    from leak_assets.pipeline.network_step import NETWORK_STEP
    from leak_assets.pipeline.runner import run_step
    from leak_assets.sites import register
    from leak_assets.sites.registry import is_path, packaged_path, slug
    from leak_assets.sites.site import network_site

    ctx = StepContext.local(command="register")
    packaged = None if is_path(path) else packaged_path(slug(path))
    model = packaged or Path(path)
    named = {"pressure": pressures, "flow": flows, "level": levels}
    layout = None
    if any(value is not None for value in named.values()):
        layout = with_sensors(network_site(model, ctx.settings), named).layout
    first = reference_first_day.date() if reference_first_day else None
    Calendar(timezone or "UTC", country or "")
    entry = register(
        model,
        ctx.settings,
        name=name,
        reference_first_day=first,
        reference_days=reference_days,
        timezone=timezone,
        country=country,
        cadence_s=cadence_s,
        layout=layout,
    )
    written = run_step(NETWORK_STEP, ctx, ctx.network(entry.name), [{"network": entry.name}])
    rows = [{"table": w.record.table, "rows": w.record.rows} for w in written]
    print_rows(rows, as_json=as_json, title=f"Registered {entry.name}")
