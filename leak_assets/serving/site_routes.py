"""Endpoints of sites of any kind, and of homes; and who may ask."""

from fastapi import APIRouter, Request, Response

from . import site_answers as of
from . import site_shapes as shapes
from .access import Admin, Viewer
from .context import Serving
from .keys import keys_path, read_keys
from .parameters import SiteName, seen_site
from .replies import NOT_FOUND, answers, reply


def site_router(serving: Serving) -> APIRouter:
    """Return the endpoints over a home."""
    router = APIRouter(tags=["sites"])
    store = serving.store

    @router.get("/sites", responses=answers(shapes.Sites))
    def sites(request: Request, caller: Viewer) -> Response:
        """Return what is watched: networks, metered zones, plants, homes."""
        return reply(request, of.site_list(serving.sites.all(), store, caller))

    @router.get("/sites/{name}", responses=answers(shapes.SiteDetail, NOT_FOUND))
    def site(request: Request, caller: Viewer, name: SiteName) -> Response:
        """Return a site with its sensors."""
        return reply(request, of.site_detail(seen_site(serving, caller, name), store))

    @router.get("/households/{name}", responses=answers(shapes.Household, NOT_FOUND))
    def household(request: Request, caller: Viewer, name: SiteName) -> Response:
        """Return how a home stands: status, what is known of its habits, days, alarms."""
        found = seen_site(serving, caller, name, "household")
        return reply(request, of.household_state(found, store))

    @router.get("/keys", tags=["platform"], responses=answers(shapes.KeyList))
    def keys(request: Request, _caller: Admin) -> Response:
        """Return who may ask, without any key or hash; needs role admin."""
        path = keys_path(serving.settings)
        known = read_keys(path) if path.exists() else ()
        rows = [{"name": key.name, "role": key.role, "sites": key.sites} for key in known]
        return reply(request, {"keys": rows, "count": len(rows)})

    return router
