"""The frame of every page: templates, navigation, styles and scripts, headers.

What a page shows is the matter of its own module.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse

from leak_assets.reports.page import look, templates
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.incident_answers import IncidentFilter, incident_flows, incident_list
from leak_assets.serving.known_sites import KnownSite
from leak_assets.sites.site import SiteKind

from .formats import FILTERS, at, clock_name, since

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class PageKind:
    """A page of the navigation: which sites have one, and which tables it follows."""

    path: str
    title: str
    kinds: tuple[SiteKind, ...]
    tables: tuple[str, ...]


PAGES: Mapping[str, PageKind] = {
    "overview": PageKind(
        "/",
        "Overview",
        ("network",),
        (
            "incidents.incident_events",
            "incidents.incident_days",
            "incidents.transitions",
            "incidents.calendar_events",
            "incidents.summaries",
            "features.channels_30m",
            "telemetry.sensor_quality_daily",
        ),
    ),
    "quality": PageKind(
        "/view/quality",
        "Data quality",
        ("network", "zones"),
        (
            "telemetry.sensor_quality_daily",
            "telemetry.ingest_ledger",
            "telemetry.quarantine",
            "telemetry.unusable_readings",
        ),
    ),
    "water": PageKind(
        "/view/water",
        "Water balance",
        ("network", "zones"),
        ("water.dma_balance_daily", "water.minimum_night_flow"),
    ),
    "models": PageKind(
        "/view/models",
        "Models",
        ("network",),
        ("models.registry_events", "models.evaluations", "models.drift", "models.shadow_report"),
    ),
    "plant": PageKind(
        "/view/plant",
        "Plant",
        ("plant",),
        (
            "plant.readings",
            "plant.anomalies",
            "plant.summaries",
            "plant.live_values",
            "plant.live_anomalies",
            "plant.live_summaries",
            "plant.live_states",
        ),
    ),
    "household": PageKind(
        "/view/household",
        "Household",
        ("household",),
        ("household.engine_status", "household.alerts", "household.live_states"),
    ),
    "meters": PageKind(
        "/view/meters",
        "Meters",
        ("meters",),
        ("household.meter_days", "household.continuous_flow"),
    ),
}


@cache
def assets() -> Mapping[str, tuple[bytes, str]]:
    """Return style and script of all pages, with their types, by name."""
    script = look("explore.js") + _static("dashboard.js")
    return {
        "page.css": ((look("look.css") + _static("dashboard.css")).encode(), "text/css"),
        "page.js": (script.encode(), "text/javascript"),
    }


def _static(name: str) -> str:
    return (FOLDER / "static" / name).read_text("utf-8")


@cache
def asset_url(name: str) -> str:
    """Return the address of a style or script; another content has another address."""
    digest = hashlib.sha256(assets()[name][0]).hexdigest()[:12]
    return f"/view/assets/{name}?v={digest}"


@cache
def environment() -> "Environment":
    """Return the templates' environment: the dashboard's own and those shared with reports."""
    made = templates(FOLDER / "templates")
    made.filters.update(FILTERS)
    made.globals["asset_url"] = asset_url
    return made


def prepare_pages(serving: Serving) -> None:
    """Compile the templates and open the warehouse's views.

    Raises
    ------
    OSError, duckdb.Error, InputError
        The warehouse cannot be read.
    """
    for name in environment().list_templates(extensions=["j2"]):
        environment().get_template(name)
    asset_url("page.css")
    nobody = Caller("nobody", "viewer", frozenset())
    incident_list(serving.store, nobody, IncidentFilter(), limit=1)
    incident_flows(serving.store, nobody)


def sites_of(serving: Serving, caller: Caller, kinds: Sequence[SiteKind]) -> list[KnownSite]:
    """Return the sites of some kinds that the caller may see, by name."""
    return [s for s in serving.sites.all() if s.kind in kinds and caller.may_see(s.name)]


def render(
    serving: Serving,
    caller: Caller,
    page: str,
    template: str,
    *,
    site: KnownSite | None,
    version: str,
    status: int = 200,
    notice: str = "",
    problem: str = "",
    **values: Any,
) -> HTMLResponse:
    """Return a page as the browser gets it.

    Parameters
    ----------
    page
        Name in `PAGES`.
    site
        Site that the page is about; its clock is the page's. None: there is none.
    version
        Of the page's tables, as it was before they were read.
    notice, problem
        What was done, or what could not be.
    """
    now = datetime.now(UTC)
    zone = site.timezone if site else "UTC"
    html = (
        environment()
        .get_template(template)
        .render(
            page=page,
            pages=_navigation(serving, caller, site),
            site=site,
            version=version,
            sites=sites_of(serving, caller, PAGES[page].kinds),
            who=caller,
            may_act=caller.is_at_least("operator"),
            zone=zone,
            clock=clock_name(zone, now),
            now=now,
            at=partial(at, zone=zone),
            since=partial(since, now=now),
            notice=notice,
            problem=problem,
            **values,
        )
    )
    return HTMLResponse(html, status)


def render_problem(caller: Caller, status: int, title: str, text: str) -> HTMLResponse:
    """Return a page that says why there is none; nothing is read for it."""
    now = datetime.now(UTC)
    html = (
        environment()
        .get_template("problem.html.j2")
        .render(
            page="overview", pages=[], site=None, version="", sites=[], who=caller, may_act=False,
            clock=clock_name("UTC", now), notice="", problem="", title=title, text=text,
        )
    )  # fmt: skip
    return HTMLResponse(html, status)


def _navigation(serving: Serving, caller: Caller, site: KnownSite | None) -> list[dict[str, str]]:
    found = []
    for name, kind in PAGES.items():
        there = [s.name for s in sites_of(serving, caller, kind.kinds)]
        if not there and name != "overview":
            continue
        # Who looks at a site goes on looking at it where the page has it.
        keeps = site is not None and site.name in there
        query = f"?site={site.name}" if keeps and site else ""
        found.append({"name": name, "title": kind.title, "href": f"{kind.path}{query}"})
    return found
