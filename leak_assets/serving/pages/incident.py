"""One incident as its page shows it: signals, evidence, place, cost, text, history."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from leak_assets.reports.incident_report import day_charts
from leak_assets.reports.report_view import evidence_bars
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.incident_answers import (
    IncidentFilter,
    incident_detail,
    incident_history,
    incident_list,
)

from .overview import network_map
from .signals import signal_charts

_SUMMARY = "SELECT * FROM incidents.summaries WHERE incident_id = ? ORDER BY revision DESC LIMIT 1"
_MOST_OTHERS = 100


def incident_view(
    serving: Serving, caller: Caller, row: dict[str, Any], zone: str
) -> dict[str, Any]:
    """Return what the page of an incident shows.

    Parameters
    ----------
    row
        Of `incidents.all_incidents`, as the caller may see it.
    zone
        IANA zone of the site's clocks.
    """
    name, network = row["incident_id"], row["network"]
    detail = incident_detail(serving.store, caller, name)
    known = incident_history(serving.store, caller, name)
    assert detail is not None  # noqa: S101 - the caller has seen its row
    assert known is not None  # noqa: S101
    found = {**row, **detail}
    written = serving.store.ask(_SUMMARY, [name])
    days = pl.DataFrame(detail["days"], schema_overrides={"day": pl.Date})
    order = detail["candidates"]
    return {
        "i": found,
        "actions": detail["possible_actions"],
        "search": [pipe for pipe in order if pipe["in_zone"]] or order[:1],
        "further": sum(not pipe["in_zone"] for pipe in order),
        "map": network_map(serving, network, only=[name]),
        "evidence": evidence_bars(detail["evidence"]),
        "forecast": detail["forecast"],
        "times": detail["alr_times"],
        "charts": signal_charts(serving, found, zone),
        "day_charts": day_charts(days, zone),
        "text": next(written.iter_rows(named=True), None),
        "history": history(known["derived"], known["said"]),
        "others": _others(serving, caller, found),
    }


def history(
    derived: Sequence[Mapping[str, Any]], said: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return what the detectors derived and what people said as one list, newest first."""
    found = [
        *({"who": row["actor"], "at": row["happened_at"], **row} for row in said),
        *({"who": None, "at": row["event_at"], **row} for row in derived),
    ]
    return sorted(found, key=lambda row: row["at"], reverse=True)


def _others(serving: Serving, caller: Caller, incident: Mapping[str, Any]) -> list[str]:
    """Return the other incidents of the network, which it may repeat."""
    wanted = IncidentFilter(network=incident["network"])
    found = incident_list(serving.store, caller, wanted, limit=_MOST_OTHERS)["incidents"]
    return [i["incident_id"] for i in found if i["incident_id"] != incident["incident_id"]]
