"""Endpoints of incidents: list, detail, where it comes from, and what people say of it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response

from leak_assets.errors import InputError
from leak_assets.incidents.transitions import ConflictError, IllegalTransitionError
from leak_assets.warehouse.partition_files import DamagedPartitionError

from . import incident_answers as of
from . import incident_shapes as shapes
from .access import Operator, Viewer
from .context import Serving
from .incident_changes import Change, change_incident
from .lineage_answers import incident_lineage
from .network_shapes import GeoJson
from .parameters import Limit, Name, Since, Until
from .replies import GEOJSON, NOT_FOUND, Problem, answers, geojson_answers, refused, reply

IncidentId = Annotated[str, Path(max_length=300, description="Identifier from `/incidents`.")]
_Status = Annotated[list[shapes.Status] | None, Query(description="Any of these.", max_length=10)]
_Severity = Annotated[
    list[shapes.Severity] | None, Query(description="Any of these.", max_length=10)
]
_Next = Annotated[
    str | None, Query(alias="next", max_length=500, description="`next` of the page before.")
]
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {
        "model": Problem,
        "description": "Somebody spoke first, or its status does not allow it.",
    },
    400: {"model": Problem, "description": "The body is no JSON."},
    411: {"model": Problem, "description": "The body's length is not said."},
    413: {"model": Problem, "description": "The body is too long."},
}


def incident_router(serving: Serving) -> APIRouter:
    """Return the endpoints over a home."""
    router = APIRouter(tags=["incidents"])
    store = serving.store

    @router.get("/incidents", responses=answers(shapes.Incidents))
    def incidents(
        request: Request,
        caller: Viewer,
        network: Name = None,
        zone: Name = None,
        type_: Annotated[Literal["leak"] | None, Query(alias="type")] = None,
        status: _Status = None,
        severity: _Severity = None,
        since: Since = None,
        until: Until = None,
        limit: Limit = 100,
        next_: _Next = None,
    ) -> Response:
        """Return incidents, newest report first; `since` and `until` are of the report."""
        try:
            after = None if next_ is None else of.read_cursor(next_)
        except ValueError as error:
            raise refused(str(error), "query", "next") from error
        wanted = of.IncidentFilter(
            network=network,
            zone=zone,
            incident_type=type_,
            status=tuple(status or ()),
            severity=tuple(severity or ()),
            since=since,
            until=until,
        )
        return reply(request, of.incident_list(store, caller, wanted, limit=limit, after=after))

    @router.get("/incidents/{incident_id}", responses=answers(shapes.Detail, NOT_FOUND))
    def incident(request: Request, caller: Viewer, incident_id: IncidentId) -> Response:
        """Return one incident: state, cost, where to dig, which sensors say so, what may follow."""
        found = of.incident_detail(store, caller, incident_id)
        return reply(request, found_or_404(found, incident_id))

    @router.patch(
        "/incidents/{incident_id}",
        responses={200: {"model": shapes.Said}, **NOT_FOUND, **_CONFLICT},
    )
    def change(caller: Operator, incident_id: IncidentId, change: Change) -> shapes.Said:
        """Say what becomes of an incident, as it was at `people_revision`; needs role operator."""
        row = found_or_404(of.incident_row(store, caller, incident_id), incident_id)
        try:
            said = change_incident(serving, caller, row, change)
        except ConflictError as error:
            raise HTTPException(409, f"{error.problem}. Look at it again") from error
        except IllegalTransitionError as error:
            raise HTTPException(409, str(error)) from error
        except DamagedPartitionError:
            raise
        except InputError as error:
            # Remedies that name options are the command line's.
            told = error.problem if "--" in error.remedy else str(error)
            raise refused(told, "body") from error
        return shapes.Said.model_validate(said)

    @router.get(
        "/incidents/{incident_id}/candidates.geojson",
        response_class=Response,
        responses=geojson_answers(GeoJson, NOT_FOUND),
    )
    def candidates(request: Request, caller: Viewer, incident_id: IncidentId) -> Response:
        """Return where to search, in coordinates of the model: pipes with rank and color, zone."""
        found = found_or_404(of.candidates_geojson(store, caller, incident_id), incident_id)
        return reply(request, found, media_type=GEOJSON)

    @router.get("/incidents/{incident_id}/history", responses=answers(shapes.History, NOT_FOUND))
    def history(request: Request, caller: Viewer, incident_id: IncidentId) -> Response:
        """Return what was derived from data and what people said, in order of each."""
        return reply(
            request, found_or_404(of.incident_history(store, caller, incident_id), incident_id)
        )

    @router.get("/incidents/{incident_id}/lineage", responses=answers(shapes.Lineage, NOT_FOUND))
    def lineage(
        request: Request,
        caller: Viewer,
        incident_id: IncidentId,
        format_: Annotated[
            Literal["boxes", "openlineage"],
            Query(alias="format", description="`openlineage`: events, some MB of them."),
        ] = "boxes",
    ) -> Response:
        """Return what an incident was made from, back to the deliveries, with code and runs."""
        found_or_404(of.incident_row(store, caller, incident_id), incident_id)
        return reply(request, incident_lineage(serving, incident_id, form=format_))

    return router


def found_or_404(document: dict[str, Any] | None, incident_id: str) -> dict[str, Any]:
    """Return what there is of an incident; HTTPException 404 where there is none."""
    if document is None:
        raise HTTPException(404, f"there is no incident {incident_id!r}")
    return document
