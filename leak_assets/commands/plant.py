"""Commands for treatment plants: what rules would raise, what they raised."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import Site
from leak_assets.system.strict_yaml import read_mapping
from leak_assets.system.terminal import AsJson, console, print_frame

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


def _plant(ctx: StepContext, name: str) -> Site:
    site = ctx.site(name)
    if site.kind != "plant":
        raise InputError(
            f"{site.name} is a {site.kind}, not a plant",
            remedy="`leak-assets sites list` names the plants",
        )
    return site
