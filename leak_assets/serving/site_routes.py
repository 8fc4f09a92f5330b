"""Endpoints of sites of any kind, and of homes."""

from fastapi import APIRouter

from .context import Serving


def site_router(_serving: Serving) -> APIRouter:
    """Return the endpoints over a home."""
    return APIRouter(tags=["sites"])
