"""Endpoints of treatment plants, with the fields that plant monitors are asked for."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from .access import Caller, Viewer
from .context import Serving
from .plant_answers import (
    Anomaly,
    Metrics,
    Status,
    SummaryAnswer,
    metrics,
    newest_anomalies,
    status,
    summary_answer,
)
from .replies import NOT_FOUND

MOST = 1000
SiteOption = Annotated[str | None, Query(description="Plant; default: all plants.", max_length=100)]
_Limit = Annotated[int, Query(ge=1, le=MOST, description="How many, newest first.")]


def plant_router(serving: Serving) -> APIRouter:
    """Return the plant's endpoints over a warehouse."""
    router = APIRouter(tags=["plant"])
    settings, rows = serving.settings, serving.rows

    @router.get("/anomalies", responses=NOT_FOUND)
    def anomalies(caller: Viewer, limit: _Limit = 100, site: SiteOption = None) -> list[Anomaly]:
        """Return the newest anomalies."""
        return newest_anomalies(rows, plants_of(serving, caller, site), limit)

    @router.get("/summary", responses=NOT_FOUND)
    def summary(caller: Viewer, site: SiteOption = None) -> SummaryAnswer:
        """Return the newest summary, and all of them."""
        return summary_answer(rows, plants_of(serving, caller, site))

    @router.get("/status", responses=NOT_FOUND)
    def state(caller: Viewer, site: SiteOption = None) -> Status:
        """Return whether readings come and the parts do their work; never an error."""
        return status(rows, plants_of(serving, caller, site), settings, datetime.now(UTC))

    @router.get("/metrics", responses=NOT_FOUND)
    def counts(caller: Viewer, site: SiteOption = None) -> Metrics:
        """Return counts of the newest anomalies."""
        return metrics(rows, plants_of(serving, caller, site))

    return router


def plants_of(serving: Serving, caller: Caller, name: str | None) -> list[str]:
    """Return the plant of a name, or all that the caller sees.

    Raises
    ------
    HTTPException
        404: there is none of that name, or not for this caller.
    """
    found = caller.seen(serving.sites.described("plant"))
    if name is None:
        return found
    if name not in found:
        raise HTTPException(404, f"there is no plant {name!r}")
    return [name]
