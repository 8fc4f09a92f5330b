"""Commands for homes: the demo, watching live, what people say, the page, replaying a day."""

import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.described import described_names, described_site
from leak_assets.sites.site import Site
from leak_assets.system.files import publish
from leak_assets.system.locks import exclusive_or_none
from leak_assets.system.terminal import AsJson, console, print_json, print_rows

from . import household_meters
from .incident_people import By, actor
from .options import LARGEST_SEED, moment

household_app = typer.Typer(
    no_args_is_help=True, help="Watch homes: sessions, learned habits, leak alarms."
)
_Name = Annotated[str, typer.Argument(help="Name of a registered household.")]
_Out = Annotated[Path | None, typer.Option(help="HTML file; by default var/reports/NAME.html.")]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    household_meters.add_to(household_app)
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
    from leak_assets.household.past import replay_day

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


@household_app.command("watch")
def watch(
    source: Annotated[
        str,
        typer.Option(
            help="Broker of the meters' messages: mqtt://HOST, redis://HOST, redis+pubsub://HOST,"
            " or a YAML file as for `collect`."
        ),
    ],
    home: Annotated[
        list[str] | None,
        typer.Option(help="Home to watch; may be repeated. Default: every registered household."),
    ] = None,
    home_assistant: Annotated[
        str | None, typer.Option(help="MQTT broker of Home Assistant, e.g. mqtt://HOST.")
    ] = None,
) -> None:
    """Judge the water of homes while it runs; tells Home Assistant. Ends with Ctrl-C or SIGTERM.

    Listens to tracker_state_HOME and engine_updated_HOME. What comes is kept as `collect` keeps
    it; a restart in the middle of a session goes on from the stored state.
    """
    from leak_assets.household.entities import HomeAssistant
    from leak_assets.household.stream import home_stream
    from leak_assets.household.watch import HouseholdWatch
    from leak_assets.runs.daemonless import process_landing_zone
    from leak_assets.telemetry.sources.collect import Collector
    from leak_assets.telemetry.sources.drivers import open_stream
    from leak_assets.telemetry.sources.stream import StreamLostError

    ctx = StepContext.local(command="household-watch")
    homes = _homes(ctx, home or [])
    config = home_stream(source, homes, ctx.settings)
    stream = open_stream(config)

    def say(line: str) -> None:
        typer.echo(line, err=True)

    def refresh(site: Site) -> None:
        process_landing_zone(ctx, site)

    with exclusive_or_none(ctx.settings.spool_dir / config.name / ".lock") as is_alone:
        if not is_alone:
            raise InputError(
                f"{config.name} is collected by another process already",
                remedy="Stop that one, or give this source another name",
            )
        titles = {site.name: _title(site.name, ctx) for site in homes}
        audience = (
            HomeAssistant(home_assistant, config.name, titles, ctx.settings)
            if home_assistant
            else None
        )
        try:
            # From now on the broker keeps what comes, while the homes' pasts are read.
            with suppress(StreamLostError):
                stream.receive(0, 0.0)
            watching = HouseholdWatch(homes, ctx.warehouse, config.name, refresh, audience, say)
            collector = Collector(config, stream, ctx.settings, ctx.warehouse, say, watching)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: collector.stop())
            names = ", ".join(site.name for site in homes)
            say(f"{config.name}: watching {names} on {', '.join(config.topics)}")
            collector.run()
        finally:
            if audience is not None:
                audience.close()


def _homes(ctx: StepContext, names: list[str]) -> list[Site]:
    sites = [ctx.site(name) for name in names or described_names(ctx.settings)]
    homes = [site for site in sites if site.kind == "household" or names]
    if not homes:
        raise InputError(
            "there is no household to watch",
            remedy="`leak-assets sites register FILE`; docs/household.md has a file",
        )
    return homes


def _title(name: str, ctx: StepContext) -> str:
    found = described_site(name, ctx.settings)
    return found.description.title if found else ""


_Hours = Annotated[float, typer.Option(min=0.01, max=8784, help="For how many hours from now.")]
_Until = Annotated[
    str | None, typer.Option(help="Until when instead, e.g. 2026-03-04T18:00 (UTC, or offset).")
]
_Reason = Annotated[str, typer.Option(help="Why; it stands beside the events.")]


@household_app.command("pause")
def pause(
    name: _Name,
    hours: _Hours = 4.0,
    until: _Until = None,
    reason: _Reason = "",
    by: By = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Raise no alarm for a time: irrigation, a pool. What runs meanwhile teaches nothing."""
    _say(name, "pause", hours, until, reason, by, as_json=as_json)


@household_app.command("guests")
def guests(
    name: _Name,
    hours: _Hours = 72.0,
    until: _Until = None,
    reason: _Reason = "",
    by: By = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Expect more and longer use for a time: guests are in the house."""
    _say(name, "guests", hours, until, reason, by, as_json=as_json)


@household_app.command("learn")
def learn(
    name: _Name,
    hours: _Hours = 336.0,
    until: _Until = None,
    reason: _Reason = "",
    by: By = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Learn without alarms for a time: a new garden, new people."""
    _say(name, "learn", hours, until, reason, by, as_json=as_json)


@household_app.command("resume")
def resume(
    name: _Name,
    what: Annotated[str, typer.Option(help="What ends: pause, guests or learn.")] = "pause",
    reason: _Reason = "",
    by: By = None,
    *,
    as_json: AsJson = False,
) -> None:
    """End a pause, guests or learning now."""
    ends = {"pause": "resume", "guests": "guests_left", "learn": "watch"}
    if what not in ends:
        raise InputError(f"{what!r} cannot end", remedy=f"Choose of {', '.join(ends)}")
    _say(name, ends[what], 0.0, None, reason, by, as_json=as_json)


def _say(
    name: str,
    action: str,
    hours: float,
    until: str | None,
    reason: str,
    by: str | None,
    *,
    as_json: bool,
) -> None:
    from leak_assets.household.control_rows import say
    from leak_assets.household.controls import Control
    from leak_assets.household.home import home_of

    ctx = StepContext.local(command=f"household-{action}")
    home = home_of(ctx.site(name))
    now = datetime.now(UTC)
    end = moment(until) or now + timedelta(hours=hours)
    control = Control(now.timestamp(), action, end.timestamp(), reason)  # type: ignore[arg-type]
    row = say(ctx.warehouse, home.name, control, actor=actor(ctx, by), at=now)
    if as_json:
        print_json(row)
        return
    ends = row["until_utc"]
    told = f"{home.name}: {action}" + (f" until {ends:%Y-%m-%d %H:%M} UTC" if ends else "")
    console().print(told, markup=False, highlight=False)
