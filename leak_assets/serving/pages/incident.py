"""One incident as its page shows it: signals, evidence, place, cost, text, history."""

from typing import Any

import polars as pl

from leak_assets.incidents import people
from leak_assets.incidents.places import search_order
from leak_assets.incidents.transitions import legal_actions
from leak_assets.reports.incident_report import day_charts
from leak_assets.reports.report_view import evidence_bars

from leak_assets.serving.context import Serving
from .overview import network_map
from .signals import signal_charts

_OF_REVISION = (
    "SELECT * FROM incidents.{table} WHERE incident_id = ? AND revision <= ?"
    " QUALIFY revision = max(revision) OVER () ORDER BY rank"
)


def incident_view(serving: Serving, incident: dict[str, Any], zone: str) -> dict[str, Any]:
    """Return what the page of an incident shows."""
    name, network = incident["incident_id"], incident["network"]
    ask = serving.store.ask
    said = ask(
        "SELECT * FROM incidents.transitions WHERE incident_id = ? ORDER BY revision", [name]
    )
    derived = ask(
        "SELECT * FROM incidents.incident_events WHERE incident_id = ? ORDER BY revision", [name]
    )
    candidates, evidence = (
        ask(_OF_REVISION.format(table=table), [name, incident["revision"]])
        for table in ("candidates", "evidence")
    )
    forecast, times, days, summaries = (
        ask(f"SELECT * FROM incidents.{view} WHERE incident_id = ? ORDER BY ALL", [name])
        for view in ("forecast", "alr_times", "incident_days", "summaries")
    )
    order = search_order(candidates).to_dicts() if candidates.height else []
    return {
        "i": incident,
        "actions": legal_actions(people.state_of(incident, said)),
        "search": [row for row in order if row["in_zone"]] or order[:1],
        "further": sum(not row["in_zone"] for row in order),
        "map": network_map(serving, network, only=[name]),
        "evidence": evidence_bars(evidence.to_dicts()),
        "forecast": next(forecast.iter_rows(named=True), None),
        "times": next(times.iter_rows(named=True), None),
        "charts": signal_charts(serving, incident, evidence, zone),
        "day_charts": day_charts(days.sort("day"), zone),
        "text": summaries.sort("revision").row(-1, named=True) if summaries.height else None,
        "history": history(derived, said),
        "others": _others(serving, incident),
    }


def history(derived: pl.DataFrame, said: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what the detectors derived and what people said, newest first in each.

    People speak by the clock of the wall, detectors by that of the data: with old data both lists
    do not interleave, so people's come first.
    """
    theirs = [{"who": row["actor"], "at": row["happened_at"], **row} for row in said.to_dicts()]
    found = [{"who": None, "at": row["event_at"], **row} for row in derived.to_dicts()]
    return sorted([*theirs, *found], key=lambda row: row["at"], reverse=True)


def _others(serving: Serving, incident: dict[str, Any]) -> list[str]:
    """Return the other incidents of the network, which it may repeat."""
    frame = serving.store.ask(
        "SELECT incident_id FROM incidents.incidents WHERE network = ? ORDER BY detected_at DESC",
        [incident["network"]],
    )
    return [name for name in frame["incident_id"] if name != incident["incident_id"]]
