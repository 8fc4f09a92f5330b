"""Endpoint of an incident's replay: the result, or how far it is.

How replays run is `replays`; the other endpoints of incidents are `incident_routes`.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from leak_assets.errors import InputError
from leak_assets.warehouse.partition_files import DamagedPartitionError

from . import incident_shapes as shapes
from .access import Operator
from .context import Serving
from .incident_answers import incident_row
from .incident_routes import IncidentId, found_or_404
from .replays import Asked, BusyError, Replays
from .replies import NOT_FOUND, Problem, answers, refused, reply

_RUNNING: dict[int | str, dict[str, Any]] = {
    202: {
        "model": shapes.ReplayRunning,
        "description": "It still runs; ask again for the result.",
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}},
    }
}
_BUSY: dict[int | str, dict[str, Any]] = {
    503: {
        "model": Problem,
        "description": "Another replay runs.",
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}},
    }
}


def replay_router(serving: Serving) -> APIRouter:
    """Return the endpoint over a home."""
    router = APIRouter(tags=["incidents"])
    replays = Replays(serving)

    @router.get(
        "/incidents/{incident_id}/replay",
        responses={**answers(shapes.Replay, NOT_FOUND), **_RUNNING, **_BUSY},
    )
    async def replay(
        request: Request,
        caller: Operator,
        incident_id: IncidentId,
        method: Annotated[Literal["likelihood", "windows"] | None, Query()] = None,
        threshold: Annotated[float | None, Query(allow_inf_nan=False, ge=-1e6, le=1e6)] = None,
        model: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Response:
        """Detect again from an incident's inputs and compare; nothing is written.

        It runs in a process of its own, one at a time. An answer waits 20 s for it; 202 says how
        far it is then, and the same request gets the result later. Needs role operator.
        """
        row = await run_in_threadpool(incident_row, serving.store, caller, incident_id)
        row = found_or_404(row, incident_id)
        asked = Asked(incident_id, method or row["method"], model, threshold)
        try:
            found, is_done = await replays.ask(asked)
        except BusyError as error:
            raise HTTPException(503, str(error), {"Retry-After": "10"}) from error
        except DamagedPartitionError:
            raise
        except InputError as error:
            raise refused(str(error), "query") from error
        if is_done:
            return reply(request, found)
        again = reply(request, found, status=202)
        again.headers["Retry-After"] = "5"
        return again

    return router
