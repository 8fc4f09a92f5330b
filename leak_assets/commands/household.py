"""Commands for homes: the demo, the page of a home, replaying a day."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.files import publish
from leak_assets.system.terminal import AsJson, console, print_json, print_rows

from .options import LARGEST_SEED

household_app = typer.Typer(
    no_args_is_help=True, help="Watch homes: sessions, learned habits, leak alarms."
)
_Name = Annotated[str, typer.Argument(help="Name of a registered household.")]
_Out = Annotated[Path | None, typer.Option(help="HTML file; by default var/reports/NAME.html.")]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(household_app, name="household")


@household_app.command("demo")
def demo(
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same home.")
    ] = 1,
    out: _Out = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Run two months of a simulated home with four faults; ends in alarms beside the truth."""
    from leak_assets.demo.household import SITE, run_household_demo

    screen = console()

    def stage(name: str) -> None:
        if not as_json:
            screen.print(f"[dim]{name} …[/dim]")

    ctx = StepContext.local(command="household-demo")
    result = run_household_demo(ctx, seed=seed, out=out, stage=stage)
    if as_json:
        print_json(
            {
                "faults": result.rows,
                "false_alarms": result.false_alarms,
                "report": str(result.report),
            }
        )
    else:
        print_rows(result.rows, as_json=False, title="Alarms beside the truth")
        for line in (
            f"Alarms while nothing was wrong: {result.false_alarms}",
            f"Done in {result.seconds:.0f} s. Where to look next:",
            f"  page   {result.report}",
            f"  again  leak-assets household report {SITE}",
            '  SQL    leak-assets sql "SELECT ts_utc, event, kinds, reasons FROM household.alerts"',
        ):
            screen.print(line, soft_wrap=True, highlight=False, markup=False)


@household_app.command("report")
def report(name: _Name, out: _Out = None, *, as_json: AsJson = False) -> None:
    """Write a home's raster, bands, recurring uses and alarms as one HTML page."""
    from leak_assets.household.home import home_of
    from leak_assets.reports.household_report import household_page
    from leak_assets.sites.described import described_site

    ctx = StepContext.local(command="household-report")
    site = ctx.site(name)
    home = home_of(site)
    found = described_site(site.name, ctx.settings)
    title = found.description.title if found else ""
    page = household_page(ctx.warehouse, site.name, title=title, zone=home.settings.zone)
    path = out or ctx.settings.reports_dir / f"{site.name}.html"
    publish(path, page.encode())
    if as_json:
        print_json({"site": site.name, "report": str(path)})
        return
    console().print(f"written to {path}", soft_wrap=True, markup=False, highlight=False)


@household_app.command("replay")
def replay(
    name: _Name,
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="UTC day.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Run a stored day again; exit code 1 where it alarms otherwise than it did."""
    from leak_assets.household.steps import replay_day

    ctx = StepContext.local(command="household-replay")
    stored, again = replay_day(ctx.warehouse, ctx.site(name), day.date())
    same = stored.equals(again)
    rows = again.select("ts_utc", "event", "kinds", "reasons").to_dicts()
    if as_json:
        print_json({"identical": same, "events": rows})
    else:
        print_rows(rows, as_json=False, title=f"{name} on {day.date()}")
        verdict = "the same as stored" if same else "not what is stored: code or readings changed"
        console().print(verdict, markup=False, highlight=False)
    if not same:
        raise typer.Exit(1)
