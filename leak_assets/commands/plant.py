"""Commands for treatment plants: what rules would raise, what they raised."""

import signal
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import Site
from leak_assets.system.strict_yaml import read_mapping
from leak_assets.system.terminal import AsJson, console, print_frame, print_json

plant_app = typer.Typer(
    no_args_is_help=True, help="Watch treatment plants: spike, drift and dropout rules."
)
_Plant = Annotated[str, typer.Option("--site", help="Name of a registered plant.")]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(plant_app, name="plant")


@plant_app.command("anomalies")
def anomalies(
    site: _Plant,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 100,
    *,
    as_json: AsJson = False,
) -> None:
    """List the newest anomalies of a plant."""
    ctx = StepContext.local()
    frame = ctx.warehouse.sql(
        "SELECT type, ts_utc, sensor_id, parameter, value, message FROM plant.current_anomalies"
        " WHERE site = ? LIMIT ?",
        [_plant(ctx, site).name, limit],
    )
    print_frame(frame, as_json=as_json)


@plant_app.command("preview")
def preview(
    site: _Plant,
    profile: Annotated[
        str, typer.Option(help="Packaged profile, or a YAML file with one.")
    ] = "wtf_strict",
    day: Annotated[
        list[datetime] | None, typer.Option(formats=["%Y-%m-%d"], help="UTC day; default: all.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Tell what a rule profile would have raised on stored readings; nothing is written."""
    from leak_assets.plant.preview import per_day
    from leak_assets.plant.preview import preview as run
    from leak_assets.plant.profile import load_profile, parse_profile

    ctx = StepContext.local()
    path = Path(profile)
    if path.suffix in {".yaml", ".yml"}:
        content, _ = read_mapping(path, "rule profile", remedy="Write it as a mapping of keys")
        rules = parse_profile(content, file=path)
    else:
        rules = load_profile(profile)
    days = run(ctx.warehouse, _plant(ctx, site).name, rules, [d.date() for d in day or []])
    print_frame(per_day(days), as_json=as_json)
    if not as_json:
        total = sum(sum(d.found.values()) for d in days)
        console().print(
            f"{rules.name}: {total / len(days):.1f} anomalies a day over {len(days)} days;"
            f" stored now: {sum(d.stored for d in days) / len(days):.1f}",
            highlight=False,
        )


@plant_app.command("watch")
def watch(
    site: _Plant,
    source: Annotated[
        str | None,
        typer.Option(
            help="Stream to collect besides: YAML file, redis://HOST?topics=KEY or"
            " mqtt://HOST?topics=FILTER. Files of the landing folder, and what other collectors"
            " bring, are watched in any case."
        ),
    ] = None,
    take_after: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds after which what no run has taken is taken from here; 0: never."
        ),
    ] = 300.0,
    lists: Annotated[
        str | None,
        typer.Option(
            help="Redis in which the lists `anomaly_history` and `summary_history` (100 entries"
            " each, newest first) are kept: redis://HOST:PORT."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Judge readings as they come: anomalies are seen at once, summaries within a minute.

    Waits for no run; the day's run judges the same readings for the record. Ends with Ctrl-C or
    SIGTERM; started again, it goes on where it ended.
    """
    from contextlib import nullcontext

    from leak_assets.plant.messages import of_plant
    from leak_assets.plant.redis_lists import shown_in_redis
    from leak_assets.runs.plant_watch import PlantWatch, alone
    from leak_assets.telemetry.sources.background import collecting
    from leak_assets.telemetry.sources.stream_config import load_stream

    ctx = StepContext.local(command="plant-watch")
    plant = _plant(ctx, site)

    def say(line: str) -> None:
        typer.echo(line, err=True)

    with alone(ctx.settings, plant.name):
        watching = PlantWatch(ctx, plant, say, take_after_s=take_after or None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: watching.stop())
        config = of_plant(load_stream(source, ctx.settings), plant.name) if source else None
        beside = (
            collecting(config, ctx.settings, ctx.warehouse, say, watching.stop)
            if config
            else nullcontext()
        )
        shown = (
            shown_in_redis(lists, ctx.settings, ctx.warehouse, plant.name, say)
            if lists
            else nullcontext()
        )
        with beside as stream_lost, shown as lists_lost:
            is_redis = config is not None and config.scheme.startswith("redis")
            asked = (stream_lost if is_redis else None, lists_lost)
            watching.redis = [ask for ask in asked if ask is not None]
            say(f"{plant.name}: watching" + (f" {config.url}" if config else ""))
            counts = watching.run()
    if as_json:
        print_json(asdict(counts))
    else:
        console().print(
            f"{counts.readings:,} readings, {counts.not_judged:,} not judged,"
            f" {counts.anomalies:,} anomalies",
            highlight=False,
        )


@plant_app.command("demo")
def demo(
    sensors: Annotated[int, typer.Option(min=1, max=1000, help="Sensors of the plant.")] = 3,
    seconds: Annotated[
        float, typer.Option(min=0, help="End after so many seconds; 0: with Ctrl-C.")
    ] = 0.0,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same plant.")] = 1,
    *,
    as_json: AsJson = False,
) -> None:
    """Run a simulated plant with its watch, its summaries and the API, and say what to open."""
    from leak_assets.demo.plant import run_plant_demo
    from leak_assets.settings import Settings

    run_plant_demo(
        Settings.from_environment(),
        sensors=sensors,
        seconds=seconds,
        port=port,
        seed=seed,
        as_json=as_json,
    )


def _plant(ctx: StepContext, name: str) -> Site:
    site = ctx.site(name)
    if site.kind != "plant":
        raise InputError(
            f"{site.name} is a {site.kind}, not a plant",
            remedy="`leak-assets sites list` names the plants",
        )
    return site
