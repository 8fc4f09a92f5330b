"""The server process: which address it binds, and to whom it answers there."""

import ipaddress
import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb

from leak_assets.errors import InputError
from leak_assets.settings import Settings

if TYPE_CHECKING:
    import uvicorn

    from .context import Serving

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8000


def make_server(
    settings: Settings, *, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT
) -> "uvicorn.Server":
    """Return the server of a home, ready to run.

    Raises
    ------
    InputError
        The address is open to others, and there are no keys; or their file cannot be used.
    """
    import uvicorn

    from .app import build_app
    from .keys import configured_keys, keys_path

    has_keys = configured_keys(settings) is not None
    if not is_loopback(host) and not has_keys:
        raise InputError(
            f"anybody who reaches {host}:{port} could read and change everything: there are no"
            " API keys",
            remedy="`leak-assets keys add NAME --role viewer` makes one"
            f" ({keys_path(settings)}); or serve 127.0.0.1",
        )
    # Without keys a page elsewhere could point its own name to this machine and read along.
    hosts = None if has_keys else LOOPBACK | {host}
    app = build_app(settings, hosts=hosts)
    # Beside the start: the views and the templates take half a second.
    threading.Thread(target=_warm, args=(app.state.serving,), daemon=True).start()
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            # Who asks is the address that connects, whatever a header says.
            proxy_headers=False,
            # Pages that follow the warehouse hold a connection each; an end does not wait for them.
            timeout_graceful_shutdown=2,
        )
    )
    # Whoever follows the warehouse hears of its end.
    app.state.server = server
    return server


def _warm(serving: "Serving") -> None:
    """Open the pool for the first page; a warehouse that cannot be read is told to who asks."""
    from .pages.shell import prepare_pages

    with suppress(duckdb.Error, OSError, InputError):
        prepare_pages(serving)


def bound(host: str, port: int) -> socket.socket:
    """Return the socket of an address, taken.

    Raises
    ------
    InputError
        It cannot be: another program has it, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise InputError(
            f"{host}:{port} cannot be bound: {os.strerror(error.errno or 0).lower()}",
            remedy="Stop the program that has it, or give another --port",
        ) from error


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
