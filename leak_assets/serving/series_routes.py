"""Endpoints of series over time."""

from fastapi import APIRouter

from .context import Serving


def series_router(_serving: Serving) -> APIRouter:
    """Return the endpoints over a home."""
    return APIRouter(tags=["series"])
