"""Endpoints of series over time, thinned to the points that are asked for."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from leak_assets.errors import InputError

from . import series_answers as of
from . import series_shapes as shapes
from .access import Viewer
from .context import Serving
from .parameters import Since, Until, seen_site
from .replies import NOT_FOUND, answers, refused, reply

_Points = Annotated[
    int, Query(ge=10, le=of.MOST_POINTS, description="How many buckets of time at most.")
]
_Site = Annotated[str, Query(max_length=100, description="Name from `/sites`.")]
_Network = Annotated[str, Query(max_length=100, description="Name from `/networks`.")]
_Sensor = Annotated[str, Query(max_length=200, description="Sensor of the site.")]
_Quantity = Annotated[
    str, Query(max_length=50, description="`pressure`, `flow`, `level`, `demand`, `temperature`, …")
]
_Channel = Annotated[
    str, Query(max_length=200, description="`pressure/<sensor>` or `balance/<zone>`")
]


def series_router(serving: Serving) -> APIRouter:
    """Return the endpoints over a home."""
    router = APIRouter(tags=["series"])
    store = serving.store

    def span(
        table: str, site: str, since: datetime | None, until: datetime | None, points: int
    ) -> of.Span:
        try:
            return of.span_of(store, table, site, since=since, until=until, points=points)
        except InputError as error:
            raise refused(str(error), "query") from error

    @router.get("/readings", responses=answers(shapes.ReadingSeries, NOT_FOUND))
    def readings(
        request: Request,
        caller: Viewer,
        site: _Site,
        sensor: _Sensor,
        quantity: _Quantity,
        since: Since = None,
        until: Until = None,
        points: _Points = 500,
    ) -> Response:
        """Return mean, least and largest reading of a sensor by buckets of time.

        By default of the newest day; at most 100 days. Networks in SI units, plants in the units
        of their limits, homes in L/min.
        """
        found = seen_site(serving, caller, site)
        asked = span(of.READINGS[found.kind].table, found.name, since, until, points)
        return reply(request, of.reading_series(store, found, sensor, quantity, asked))

    @router.get("/scores", responses=answers(shapes.ScoreSeries, NOT_FOUND))
    def scores(
        request: Request,
        caller: Viewer,
        network: _Network,
        since: Since = None,
        until: Until = None,
        points: _Points = 500,
    ) -> Response:
        """Return the scores of the trained detector's windows by buckets of time."""
        found = seen_site(serving, caller, network, "network")
        asked = span("detection.window_scores", found.name, since, until, points)
        return reply(request, of.score_series(store, found.name, asked))

    @router.get("/channels", responses=answers(shapes.ChannelSeries, NOT_FOUND))
    def channels(
        request: Request,
        caller: Viewer,
        network: _Network,
        channel: _Channel,
        since: Since = None,
        until: Until = None,
        points: _Points = 500,
    ) -> Response:
        """Return a channel's half-hours: measured beside expected and its band."""
        found = seen_site(serving, caller, network, "network")
        asked = span("features.channels_30m", found.name, since, until, points)
        return reply(request, of.channel_series(store, found.name, channel, asked))

    return router
