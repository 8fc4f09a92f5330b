"""The command that serves the REST API."""

from typing import Annotated

import typer

from leak_assets.settings import Settings
from leak_assets.system.terminal import console


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(serve)


def serve(
    host: Annotated[
        str, typer.Option(help="Address to bind; anything but loopback is open to the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port.")] = 8000,
) -> None:
    """Serve the REST API over this warehouse: anomalies, summaries, status, metrics."""
    import uvicorn

    from leak_assets.serving.app import build_app

    application = build_app(Settings.from_environment())
    console().print(f"http://{host}:{port}/docs", highlight=False)
    uvicorn.run(application, host=host, port=port, log_level="warning", server_header=False)
