"""Commands of the server: serve, and who may ask."""

from enum import StrEnum
from typing import Annotated

import typer

from leak_assets.settings import Settings
from leak_assets.system.terminal import AsJson, console, print_json, print_rows

keys_app = typer.Typer(no_args_is_help=True, help="Who may ask the REST API and its pages.")


class RoleOption(StrEnum):
    """What a key may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(serve)
    app.add_typer(keys_app, name="keys")


def serve(
    host: Annotated[
        str, typer.Option(help="Address to bind; anything but loopback needs API keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8000,
) -> None:
    """Serve the REST API and the dashboard over this warehouse."""
    from leak_assets.serving.server import bound, make_server

    server = make_server(Settings.from_environment(), host=host, port=port)
    name = f"[{host}]" if ":" in host else host
    with bound(host, port) as at:
        console().print(
            f"dashboard http://{name}:{port}/  endpoints http://{name}:{port}/docs", highlight=False
        )
        server.run(sockets=[at])


@keys_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Who uses it; stands beside what it changes.")],
    role: Annotated[RoleOption, typer.Option(help="viewer reads, operator acts on incidents.")],
    site: Annotated[
        list[str] | None, typer.Option(help="Site that it sees; again for more. Default: all.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: it is seen this once, its hash is kept."""
    from leak_assets.serving.keys import add_key, keys_path
    from leak_assets.sites.site import find_site

    settings = Settings.from_environment()
    sites = None if site is None else [find_site(one, settings).name for one in site]
    key = add_key(settings, name, role.value, sites)
    if as_json:
        print_json({"name": name, "role": role.value, "sites": sites, "key": key})
        return
    typer.echo(key)
    typer.echo(f"keep it: only its hash stands in {keys_path(settings)}", err=True)


@keys_app.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List the keys by name, with role and sites."""
    from leak_assets.serving.keys import keys_path, read_keys

    path = keys_path(Settings.from_environment())
    keys = read_keys(path) if path.exists() else ()
    if as_json:
        print_json([{"name": k.name, "role": k.role, "sites": k.sites} for k in keys])
        return
    print_rows(
        [
            {
                "name": k.name,
                "role": k.role,
                "sites": "all" if k.sites is None else ", ".join(k.sites),
            }
            for k in keys
        ],
        as_json=False,
        title="API keys",
    )


@keys_app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Name from `keys list`.")], *, as_json: AsJson = False
) -> None:
    """Remove a key; a running server lets it in no more."""
    from leak_assets.serving.keys import remove_key

    remove_key(Settings.from_environment(), name)
    if as_json:
        print_json({"name": name, "removed": True})
        return
    console().print(f"{name} is let in no more", markup=False, highlight=False)
