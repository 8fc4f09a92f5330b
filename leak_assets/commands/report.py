"""The command that makes a network's report: one HTML page, from the tables alone."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import network_site
from leak_assets.system.terminal import AsJson, console, print_json


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(report)


def report(
    network: Annotated[str, typer.Option(help="Network name.")],
    out: Annotated[
        Path | None, typer.Option(help="HTML file; by default var/reports/NETWORK.html.")
    ] = None,
    first_day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="First day; by default 30 days before the last."),
    ] = None,
    last_day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day; by default the last with readings."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write a network's incidents, map, signals, models and audit as one HTML page."""
    from leak_assets.reports.network_report import network_report
    from leak_assets.reports.report import write_report

    ctx = StepContext.local(command="report")
    site = network_site(network, ctx.settings)
    data = network_report(
        ctx.warehouse,
        site,
        price_eur_per_m3=ctx.settings.water_price_eur_per_m3,
        first_day=_day(first_day),
        last_day=_day(last_day),
    )
    path = out or ctx.settings.reports_dir / f"{site.name}.html"
    write_report(path, data)
    incidents = data.events["incident_id"].n_unique()
    if as_json:
        print_json(
            {
                "report": str(path),
                "network": site.name,
                "first_day": data.period_start.date(),
                "last_day": data.period_end.date(),
                "incidents": incidents,
                "models": len(data.models),
            }
        )
        return
    console().print(
        f"{data.period_start:%Y-%m-%d} to {data.period_end:%Y-%m-%d}:"
        f" {incidents or 'no'} incident{'' if incidents == 1 else 's'}",
        highlight=False,
    )
    if not data.models:
        console().print(
            f"no model is in use: `leak-assets train --network {site.name}`", highlight=False
        )
    console().print(f"written to {path}", soft_wrap=True, markup=False, highlight=False)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
