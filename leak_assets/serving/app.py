"""The application: routes put together, and how failures are told."""

import logging

import polars as pl
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import leak_assets
from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse

from .newest import NewestRows
from .plant_routes import plant_router

_LOG = logging.getLogger(__name__)


def build_app(settings: Settings) -> FastAPI:
    """Return the API over the warehouse of a home. It writes nothing and holds no state."""
    app = FastAPI(
        title="leak-assets",
        version=leak_assets.__version__,
        description="Leaks of water networks and anomalies of treatment plants.",
    )
    warehouse = Warehouse.from_settings(settings, run_id="serve")
    app.include_router(plant_router(settings, NewestRows(warehouse)))

    @app.get("/health", tags=["platform"])
    def health() -> dict[str, str]:
        """Return that the API answers, whatever else does not."""
        return {"status": "ok"}

    async def store_failed(_request: Request, error: Exception) -> JSONResponse:
        # The reason is for the log: it may name paths.
        _LOG.error("the warehouse cannot be read: %s", error)
        return JSONResponse({"detail": "the warehouse cannot be read"}, status_code=500)

    for kind in (OSError, pl.exceptions.PolarsError, InputError):
        app.add_exception_handler(kind, store_failed)
    return app
