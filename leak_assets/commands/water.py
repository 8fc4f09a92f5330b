"""Commands for the water balance of district metered areas."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_json, print_rows

from .options import RegisteredNetwork

water_app = typer.Typer(no_args_is_help=True, help="The water balance of district metered areas.")


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(water_app, name="water")


@water_app.command("report")
def report(
    network: RegisteredNetwork,
    first_day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First local day; by default 30 days."),
    ] = None,
    last_day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last local day; by default the newest."),
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Draw nights and days to this file.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show net inflow, minimum night flow, losses and leakage index of each area."""
    from leak_assets.reports.water_report import area_rows, balance_plot, reported_period
    from leak_assets.system.files import publish

    ctx = StepContext.local(command="water")
    name = ctx.site(network).name
    first, last = reported_period(ctx.warehouse, name, _day(first_day), _day(last_day))
    rows = area_rows(ctx.warehouse, name, first, last)
    if png is not None:
        publish(png, balance_plot(ctx.warehouse, name, first, last))
    if as_json:
        found = {"network": name, "first_day": first, "last_day": last, "areas": rows}
        print_json(found | ({} if png is None else {"png": str(png)}))
        return
    print_rows(rows, as_json=False, title=f"Water balance of {name}, {first} to {last}")
    if png is not None:
        console().print(f"drew {png}", soft_wrap=True, markup=False)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()
