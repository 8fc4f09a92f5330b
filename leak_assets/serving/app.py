"""The application: routes put together behind the guard, and how failures are told."""

import getpass
import logging

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

import leak_assets
from leak_assets.settings import Settings

from .access import Caller
from .context import Serving
from .docs_page import docs_assets, docs_router
from .guard import Guard
from .incident_routes import incident_router
from .keys import configured_keys
from .metrics_routes import metrics_router
from .network_routes import network_router
from .page_routes import page_router
from .plant_routes import plant_router
from .rate import Rate
from .replay_routes import replay_router
from .replies import PROBLEMS, STORE_FAILURES
from .requests_seen import Requests
from .series_routes import series_router
from .site_routes import site_router

_LOG = logging.getLogger(__name__)
_DESCRIPTION = """Leaks of water networks, anomalies of treatment plants, states of homes.

Times are UTC. `ETag` and `If-None-Match` spare what has not changed; lists say with `next` how to
go on. Keys: `Authorization: Bearer KEY`."""


def build_app(
    settings: Settings, *, hosts: frozenset[str] | None = None, grace_s: float = 1.0
) -> FastAPI:
    """Return the API over the warehouse of a home.

    It writes nothing but what people say of incidents, and holds no state: what it keeps is
    what the warehouse is proved to say still.

    Parameters
    ----------
    hosts
        Names that the server is called by; None: any.
    grace_s
        As `store.Store`.

    Raises
    ------
    InputError
        The file of API keys cannot be used.
    """
    serving = Serving.of(settings, grace_s=grace_s)
    try:
        serving.warehouse.ensure_schemas()
    except OSError as error:
        # Without a store the server still says so.
        _LOG.error("the warehouse cannot be prepared: %s", error)
    app = FastAPI(
        title="leak-assets",
        version=leak_assets.__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEMS,
    )
    app.state.serving = serving
    requests = Requests()
    # For the documents alone: the guard has looked at the key before any route is asked.
    documented = [Security(HTTPBearer(auto_error=False, description="a key of this server"))]
    for router in (
        incident_router(serving),
        replay_router(serving),
        network_router(serving),
        series_router(serving),
        site_router(serving),
        plant_router(serving),
        metrics_router(serving, requests),
    ):
        app.include_router(router, dependencies=documented)
    app.include_router(docs_router())
    app.router.routes.append(docs_assets())
    app.include_router(page_router(serving))

    @app.get("/health", tags=["platform"])
    def health() -> dict[str, str]:
        """Return that the API answers, whatever else does not."""
        return {"status": "ok"}

    for kind in STORE_FAILURES:
        app.add_exception_handler(kind, _store_failed)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_middleware(
        Guard,
        keys=configured_keys(settings),
        nobody=Caller(settings.user or _login(), "admin"),
        rate=Rate(settings.api_requests_per_minute),
        requests=requests,
        hosts=hosts,
    )
    return app


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    # Without what was sent: it may be no number that JSON knows, and it may be a secret.
    found = error.errors() if isinstance(error, RequestValidationError) else []
    told = [{name: one[name] for name in ("type", "loc", "msg")} for one in found]
    return JSONResponse({"detail": told}, status_code=422)


async def _store_failed(_request: Request, error: Exception) -> JSONResponse:
    # The reason is for the log: it may name paths.
    _LOG.error("the warehouse cannot be read: %s", error)
    return JSONResponse({"detail": "the warehouse cannot be read"}, status_code=500)


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    # The server logs it with its trace.
    return JSONResponse({"detail": "the server failed; its log has the reason"}, status_code=500)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody on this machine"
