"""The pages that people look at in a browser, at `/`, and what their buttons do.

What a page shows is the matter of its module in `pages`; who may do what is `access`.
"""

import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, StreamingResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from leak_assets.errors import InputError
from leak_assets.incidents.transitions import ConflictError, IllegalTransitionError

from .access import Caller, Operator, Viewer, caller_of
from .context import Serving
from .incident_answers import incident_row
from .incident_changes import Change, change_incident
from .known_sites import KnownSite
from .pages.formats import REASON_WORDS
from .pages.household import household_view
from .pages.incident import incident_view
from .pages.live import changes, version_of
from .pages.meters import meters_view
from .pages.models import models_view
from .pages.overview import overview
from .pages.plant import plant_view
from .pages.quality import quality_view
from .pages.shell import PAGES, assets, render, render_problem, sites_of
from .pages.water import water_view
from .replies import STORE_FAILURES

_LOG = logging.getLogger(__name__)
_Site = Annotated[str | None, Query(max_length=100)]
_Name = Annotated[str | None, Query(max_length=300)]
_DONE = {
    "acknowledge": "Acknowledged.",
    "investigate": "Under investigation.",
    "dispatch": "Field work has begun.",
    "close": "Closed.",
    "reopen": "Open again.",
    "assign": "Assigned.",
    "snooze": "Nobody is told of it for now.",
    "note": "Noted.",
}
_TITLES = {403: "Not with this key", 404: "Not found"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


def page_router(serving: Serving) -> APIRouter:
    """Return the dashboard's pages over a home."""
    router = APIRouter(tags=["pages"], include_in_schema=False, route_class=_PageRoute)

    def page(name: str, site: str | None, caller: Caller, view: Any, **more: Any) -> Response:
        # Before it is read: what is published meanwhile is told as a change.
        version = version_of(serving.warehouse, PAGES[name].tables)
        of = _site(serving, caller, name, site)
        values = _EMPTY[name] if of is None else view(serving, caller, of, **more)
        return render(serving, caller, name, f"{name}.html.j2", site=of, version=version, **values)

    @router.get("/")
    def first(caller: Viewer, site: _Site = None, incident: _Name = None) -> Response:
        if site is None and not sites_of(serving, caller, PAGES["overview"].kinds):
            # A plant or a home alone has its own first page.
            for kind in PAGES.values():
                if sites_of(serving, caller, kind.kinds):
                    return RedirectResponse(kind.path, 307)
        return page("overview", site, caller, overview, chosen=incident)

    @router.get("/view/quality")
    def quality(caller: Viewer, site: _Site = None) -> Response:
        return page("quality", site, caller, quality_view)

    @router.get("/view/water")
    def water(caller: Viewer, site: _Site = None, area: _Name = None) -> Response:
        return page("water", site, caller, water_view, area=area)

    @router.get("/view/models")
    def models(caller: Viewer, site: _Site = None) -> Response:
        return page("models", site, caller, models_view)

    @router.get("/view/plant")
    def plant(caller: Viewer, site: _Site = None) -> Response:
        return page("plant", site, caller, plant_view)

    @router.get("/view/household")
    def household(caller: Viewer, site: _Site = None) -> Response:
        return page("household", site, caller, household_view)

    @router.get("/view/meters")
    def meters(caller: Viewer, site: _Site = None, by: _Name = None) -> Response:
        return page("meters", site, caller, meters_view, by=by)

    def incident_page(
        caller: Caller, incident_id: str, *, notice: str = "", problem: str = "", status: int = 200
    ) -> Response:
        version = version_of(serving.warehouse, PAGES["overview"].tables)
        row = incident_row(serving.store, caller, incident_id)
        if row is None:
            raise HTTPException(404, f"there is no incident {incident_id!r}")
        site = serving.sites.find(row["network"]) or _unknown(row["network"])
        return render(
            serving, caller, "overview", "incident.html.j2", site=site, notice=notice,
            problem=problem, status=status, version=version, reasons=REASON_WORDS,
            **incident_view(serving, caller, row, site.timezone),
        )  # fmt: skip

    @router.get("/view/incident/{incident_id}")
    def incident(caller: Viewer, incident_id: str, done: _Name = None) -> Response:
        return incident_page(caller, incident_id, notice=_DONE.get(done or "", ""))

    @router.post("/view/incident/{incident_id}/{action}")
    async def say(request: Request, caller: Operator, incident_id: str, action: str) -> Response:
        body = (await request.body()).decode("utf-8", "replace")
        given = dict(parse_qsl(body, max_num_fields=20))

        def answer() -> Response:
            row = incident_row(serving.store, caller, incident_id)
            if row is None:
                raise HTTPException(404, f"there is no incident {incident_id!r}")
            try:
                change_incident(serving, caller, row, _change(action, given))
            except (ConflictError, IllegalTransitionError) as error:
                return incident_page(caller, incident_id, problem=str(error), status=409)
            except InputError as error:
                return incident_page(caller, incident_id, problem=str(error), status=422)
            return RedirectResponse(
                f"/view/incident/{incident_id}?{urlencode({'done': action})}", 303
            )

        return await run_in_threadpool(answer)

    @router.get("/view/events")
    async def events(
        request: Request, _caller: Viewer, page: str = "overview", version: _Name = None
    ) -> Response:
        if page not in PAGES:
            raise HTTPException(404, "there is no such page")
        server = getattr(request.app.state, "server", None)

        def is_over() -> bool:
            return server is not None and server.should_exit

        stream = changes(serving.warehouse, PAGES[page].tables, request, version or "", is_over)
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @router.get("/view/assets/{name}")
    def asset(name: str) -> Response:
        found = assets().get(name)
        if found is None:
            raise HTTPException(404, "there is no such file")
        return Response(found[0], media_type=found[1], headers=_FOR_EVER)

    return router


class _PageRoute(APIRoute):
    """A route whose failures are pages too: people look at them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a request."""
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                title = _TITLES.get(error.status_code, "Not possible")
                text = str(error.detail)
                return render_problem(caller_of(request), error.status_code, title, text)
            except RequestValidationError:
                text = "The address asks for something that no page has."
                return render_problem(caller_of(request), 422, "Not possible", text)
            except STORE_FAILURES as error:
                # The reason is for the log: it may name paths.
                _LOG.error("the warehouse cannot be read: %s", error)
                text = "The log of the server has the reason; `leak-assets warehouse check` looks."
                return render_problem(caller_of(request), 500, "The warehouse cannot be read", text)

        return handle_for_people


def _site(serving: Serving, caller: Caller, page: str, name: str | None) -> KnownSite | None:
    """Return the site that a page is about: as asked for, else the first; None: there is none."""
    there = sites_of(serving, caller, PAGES[page].kinds)
    if name is None:
        return there[0] if there else None
    for site in there:
        if site.name == name:
            return site
    raise HTTPException(404, f"there is no such site {name!r}")


def _unknown(name: str) -> KnownSite:
    return KnownSite(name, "network", name, "UTC")


def _change(action: str, given: dict[str, str]) -> Change:
    """Return what a form says.

    Raises
    ------
    InputError
        It cannot be used.
    """
    said: dict[str, Any] = {name: text.strip() for name, text in given.items() if text.strip()}
    hours = said.pop("hours", None)
    try:
        if hours is not None:
            said["snooze_until"] = datetime.now(UTC) + timedelta(hours=float(hours))
        return Change.model_validate({**said, "action": action})
    except ValidationError as error:
        first = error.errors()[0]
        what = " ".join(str(part) for part in first["loc"]).replace("_", " ")
        raise InputError(
            f"{what or action}: {first['msg']}", remedy="Correct it and send it again"
        ) from error
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{hours!r} is no number of hours", remedy="Choose how long to snooze"
        ) from error


_EMPTY: dict[str, dict[str, Any]] = {
    "overview": {},
    "quality": {"sensors": [], "last_day": None},
    "water": {"areas": [], "period": None},
    "models": {
        "champions": [], "versions": [], "events": [], "precision": [], "shadow": [],
        "drift": None, "furthest": [], "incident_method": "",
    },
    "plant": {},
    "household": {},
    "meters": {"day": None},
}  # fmt: skip
