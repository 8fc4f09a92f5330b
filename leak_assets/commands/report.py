"""Commands that make reports: of a network, an incident, a week; one HTML page each."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import network_site
from leak_assets.system.terminal import AsJson, console, print_json

report_app = typer.Typer(no_args_is_help=True, help="Pages to read, print and send.")


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(report_app, name="report")


@report_app.command("incident")
def incident(
    incident_id: Annotated[str, typer.Argument(help="Identifier from `incidents list`.")],
    out: Annotated[
        Path | None, typer.Option(help="HTML file; by default var/reports/incidents/ID.html.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write an incident as one page: loss, map, candidates, sensors, what was known when."""
    from leak_assets.audit.trace import incident_revisions
    from leak_assets.reports.incident_report import incident_page, incident_report
    from leak_assets.system.files import publish

    ctx = StepContext.local(command="report")
    name = str(incident_revisions(ctx.warehouse, incident_id)[0]["network"])
    site = network_site(name, ctx.settings)
    path = out or ctx.settings.reports_dir / "incidents" / f"{incident_id}.html"
    publish(path, incident_page(incident_report(ctx.warehouse, site, incident_id)).encode())
    if as_json:
        print_json({"incident_id": incident_id, "page": str(path)})
        return
    console().print(f"written to {path}", soft_wrap=True, markup=False, highlight=False)


@report_app.command("digest")
def digest(
    network: Annotated[str, typer.Argument(help="Network name.")],
    week: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="A day of the week; by default the last whole."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write the digest of a week: what opened, what ended, what runs, what it cost."""
    from leak_assets.reports.digest import write_digest

    ctx = StepContext.local(command="report")
    row = write_digest(ctx, network_site(network, ctx.settings), _day(week))
    if as_json:
        print_json(row)
        return
    console().print(
        f"week of {row['week']}: {row['opened']} opened, {row['closed']} closed,"
        f" {row['running']} running; written to {row['page']}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


@report_app.command("day")
def day_digest(
    network: Annotated[str, typer.Argument(help="Network name.")],
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="UTC day; by default the newest with incidents."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write and print the digest of a day in words, by a language model or by the template."""
    from leak_assets.summaries.daily import write_daily_digest

    ctx = StepContext.local(command="report")
    name = network_site(network, ctx.settings).name
    row = write_daily_digest(ctx, name, None if day is None else day.date())
    if as_json:
        print_json(row)
        return
    console().print(row["summary"], soft_wrap=True, markup=False, highlight=False)


@report_app.command("network")
def report(
    network: Annotated[str, typer.Argument(help="Network name.")],
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
