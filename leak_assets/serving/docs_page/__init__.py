"""The page that documents the API, from files of installed packages: it loads nothing else."""

from importlib.resources import files

from fastapi import APIRouter, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

ASSETS = "/docs/assets"


def docs_router() -> APIRouter:
    """Return `/docs` with what it needs."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    def page() -> Response:
        return Response(_own("page.html"), media_type="text/html")

    @router.get("/docs/start.js")
    def start() -> Response:
        return Response(_own("start.js"), media_type="text/javascript")

    return router


def docs_assets() -> Mount:
    """Return the files of Swagger UI, as the package `fastapi-offline` brings them."""
    return Mount(ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))


def _own(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")
