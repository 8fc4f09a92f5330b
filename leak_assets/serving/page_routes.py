"""The pages that people look at in a browser, at `/`: answers of this room as HTML.

No answer is computed here: pages call the `*_answers` functions that the endpoints call.
"""

from fastapi import APIRouter

from .context import Serving


def page_router(_serving: Serving) -> APIRouter:
    """Return the dashboard's pages over a home."""
    return APIRouter(tags=["pages"], include_in_schema=False)
