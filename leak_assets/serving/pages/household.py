"""A home as its page shows it: what the report of the home shows, kept up to date."""

from typing import Any

from leak_assets.reports.household_report import household_values
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite


def household_view(serving: Serving, _caller: Caller, site: KnownSite) -> dict[str, Any]:
    """Return what the page of a home shows; `home` is None before its first day.

    `now` is what the live engine holds; None where no live engine watches the home.
    """
    live = serving.warehouse.read("household.live_states", {"site": site.name})
    return {
        "home": household_values(serving.warehouse, site.name, site.timezone),
        "now_live": None if live is None or live.is_empty() else live.row(-1, named=True),
    }
