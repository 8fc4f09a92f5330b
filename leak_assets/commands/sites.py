"""Commands for sites without a model: metered zones, plants, households."""

from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, print_rows

sites_app = typer.Typer(
    no_args_is_help=True,
    help="List and register sites without a hydraulic model: metered zones, plants, households.",
)


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(sites_app, name="sites")


@sites_app.command("list")
def list_sites(*, as_json: AsJson = False) -> None:
    """List the registered sites; `networks list` has the networks."""
    from leak_assets.sites.described import described_names, described_site

    settings = StepContext.local().settings
    found = [described_site(name, settings) for name in described_names(settings)]
    rows = [
        {
            "site": one.description.name,
            "kind": one.description.kind,
            "title": one.description.title,
            "timezone": one.description.timezone,
            "sensors": len(one.description.layout().sensors),
        }
        for one in found
        if one is not None
    ]
    print_rows(rows, as_json=as_json, title="Sites")


@sites_app.command("register")
def register(
    path: Annotated[Path, typer.Argument(help="YAML file of the site.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check a site's file and register it; the same name again replaces it."""
    from leak_assets.features.calendar import Calendar
    from leak_assets.household.home import home_of
    from leak_assets.plant.profile import check_details
    from leak_assets.sites.areas import areas_from, weather_from
    from leak_assets.sites.described import read_description, register_site
    from leak_assets.sites.site import site_of

    settings = StepContext.local(command="register").settings
    found = read_description(path)
    read = found.description
    Calendar(read.timezone, read.country)
    if read.kind == "household":
        home_of(site_of(found, settings))
    if read.kind == "plant":
        check_details(read.details, file=path)
    if read.kind == "zones":
        areas_from(read.details.get("areas"), read.layout(), file=path)
        weather_from(read.details.get("weather"), read.layout(), file=path)
    said = register_site(path, settings).description
    row = {"site": said.name, "kind": said.kind, "sensors": len(said.layout().sensors)}
    print_rows([row], as_json=as_json, title=f"Registered {said.name}")
