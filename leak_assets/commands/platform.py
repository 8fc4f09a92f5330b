"""Commands around the platform: the demo and Dagster's user interface."""

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.terminal import AsJson, print_json

from .options import LARGEST_SEED


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(demo)
    app.command()(dev)
    app.command()(prepare)


def demo(
    *,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Seed of the town, its leaks and the scenarios."
        ),
    ] = 7,
    small: Annotated[
        bool, typer.Option("--small", help="Hanoi instead of L-Town, fewer scenarios: a minute.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find two hidden leaks in a simulated town: the whole graph, from files to incidents."""
    from leak_assets.demo.run import run_demo

    run_demo(Settings.from_environment(), seed=seed, small=small, as_json=as_json)


def dev(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the user interface, on 127.0.0.1.")
    ] = 3000,
) -> None:
    """Start Dagster's user interface and daemon on this warehouse."""
    from leak_assets.defs.known_sites import tell_sites
    from leak_assets.deployment.instance import prepare_dagster_home

    _check_port(port)
    settings = Settings.from_environment()
    home = prepare_dagster_home(settings)
    tell_sites(home, settings)
    typer.echo(f"Dagster: http://127.0.0.1:{port}   landing zone: {settings.landing_dir}/<network>")
    os.environ["DAGSTER_HOME"] = str(home)
    arguments = ["dev", "--module-name", "leak_assets.definitions", "--host", "127.0.0.1"]
    program = [sys.executable, "-m", "dagster_dg_cli.cli", *arguments, "--port", str(port)]
    os.execv(sys.executable, program)  # noqa: S606 - the interpreter that runs this


def prepare(
    sites: Annotated[
        Path | None, typer.Option(help="Folder of site files (*.yaml) to register.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Prepare a home once, before daemon, webserver and API start in processes of their own.

    Dagster's storage, the catalogue of views, sites. Repeated, it changes nothing.
    """
    from leak_assets.defs.known_sites import tell_sites
    from leak_assets.deployment.instance import prepare_dagster_home
    from leak_assets.sites.described import register_site

    settings = Settings.from_environment()
    home = prepare_dagster_home(settings)
    if sites is not None and not sites.is_dir():
        raise InputError("this is no folder", remedy="Give the folder of --sites", file=sites)
    names = [
        register_site(path, settings).description.name
        for path in sorted(sites.glob("*.yaml") if sites else ())
    ]
    tell_sites(home, settings)
    if as_json:
        print_json({"dagster_home": str(home), "sites": names})
        return
    typer.echo(f"DAGSTER_HOME={home}")
    typer.echo(f"sites: {', '.join(names) or 'none registered'}")


def _check_port(port: int) -> None:
    """Refuse a port that is taken: Dagster would say so only after its daemon has started."""
    with socket.socket() as trial:
        # As the webserver does: a port whose last user has just ended is free.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"port {port} cannot be used: {error}",
                remedy="Stop the program that uses it, or give another --port",
            ) from error
