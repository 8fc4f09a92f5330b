"""Endpoints of networks and metered zones: map, data quality, water balance, models."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from . import network_answers as of
from . import network_shapes as shapes
from .access import Viewer
from .context import Serving
from .parameters import Name, SiteName, seen_site
from .replies import GEOJSON, NOT_FOUND, answers, geojson_answers, reply

_NETWORK = ("network",)
_AREAS = ("network", "zones")
_First = Annotated[date | None, Query(description="First local day.")]
_Last = Annotated[date | None, Query(description="Last local day, included.")]
_Network = Annotated[str, Query(max_length=100, description="Name from `/networks`.")]


def network_router(serving: Serving) -> APIRouter:
    """Return the endpoints over a home."""
    router = APIRouter(tags=["networks"])
    store = serving.store

    @router.get("/networks", responses=answers(shapes.Networks))
    def networks(request: Request, caller: Viewer) -> Response:
        """Return the networks and metered zones, with size and newest reading."""
        return reply(request, of.network_list(serving.sites.all(), store, caller))

    @router.get(
        "/networks/{name}.geojson",
        response_class=Response,
        responses=geojson_answers(shapes.GeoJson, NOT_FOUND),
    )
    def geojson(request: Request, caller: Viewer, name: SiteName) -> Response:
        """Return links, sources, tanks and sensors, in coordinates of the model."""
        site = seen_site(serving, caller, name, *_NETWORK)
        found = of.network_geojson(store, site.name)
        return reply(request, found, media_type=GEOJSON)

    @router.get("/networks/{name}/residuals", responses=answers(shapes.Residuals, NOT_FOUND))
    def residuals(request: Request, caller: Viewer, name: SiteName) -> Response:
        """Return the newest half-hour of each channel: measured, expected, deviation."""
        site = seen_site(serving, caller, name, *_NETWORK)
        return reply(request, of.newest_residuals(store, site.name))

    @router.get("/quality", responses=answers(shapes.Quality, NOT_FOUND))
    def quality(request: Request, caller: Viewer, network: _Network) -> Response:
        """Return the state of the data: sensors, freshness, flags, broken days, refused values."""
        site = seen_site(serving, caller, network, *_AREAS)
        return reply(request, of.quality_answer(store, site.name, datetime.now(UTC)))

    @router.get("/water-balance", responses=answers(shapes.WaterBalance, NOT_FOUND))
    def water(
        request: Request,
        caller: Viewer,
        network: _Network,
        zone: Name = None,
        first: _First = None,
        last: _Last = None,
    ) -> Response:
        """Return input, use, losses and night flow of each metered area by local day."""
        site = seen_site(serving, caller, network, *_AREAS)
        return reply(request, of.water_balance(store, site.name, zone=zone, first=first, last=last))

    @router.get("/models", responses=answers(shapes.Models, NOT_FOUND))
    def models(request: Request, caller: Viewer, network: _Network) -> Response:
        """Return trained models with metrics and gates, and how often methods were right."""
        site = seen_site(serving, caller, network, *_NETWORK)
        return reply(request, of.models_answer(store, site.name))

    return router
