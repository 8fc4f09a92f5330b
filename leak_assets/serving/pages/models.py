"""Models as their page shows them: versions, metrics beside gates, how often they were right."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from leak_assets.reports.charts import Chart, Series, draw_chart
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite
from leak_assets.serving.network_answers import models_answer

_EVENTS = (
    "SELECT model, version, status, event_at, actor, note FROM models.registry_events"
    " WHERE network = ? ORDER BY event_at DESC LIMIT 20"
)

_SHADOW = "SELECT * FROM models.shadow_report WHERE network = ? ORDER BY reported_at DESC"
_VERDICTS = """
    SELECT date, max(psi) FILTER (kind = 'feature') AS features,
        max(psi) FILTER (kind = 'score') AS scores, bool_or(is_drift AND kind = 'all') AS is_drift
    FROM {days} GROUP BY date ORDER BY date
"""
_FURTHEST = """
    SELECT model, kind, subject, psi, ks, bias_z, is_drift FROM {days} WHERE kind <> 'all'
    ORDER BY is_drift DESC, coalesce(psi, abs(bias_z)) DESC NULLS LAST LIMIT 8
"""
_DRIFT, DRIFT_DAYS = "models.drift", 60
_HALF_DAY = timedelta(hours=12)


def models_view(serving: Serving, _caller: Caller, site: KnownSite) -> dict[str, Any]:
    """Return what the page of the models shows of a network."""
    answer = models_answer(serving.store, site.name)
    for version in answer["models"]:
        test = [m for m in version["metrics"] if m["split"] == "test"] or version["metrics"]
        version["gates"] = [m for m in test if m["gate"] is not None]
        version["others"] = [m for m in test if m["gate"] is None]
        version["failed"] = sum(m["passed"] is False for m in version["gates"])
    return {
        "champions": [v for v in answer["models"] if v["status"] == "champion"],
        "versions": [v for v in answer["models"] if v["status"] != "champion"],
        "events": serving.store.ask(_EVENTS, [site.name]).to_dicts(),
        "precision": answer["precision"][::-1],
        "shadow": serving.store.ask(_SHADOW, [site.name]).to_dicts(),
        "drift": drift_chart(serving, site),
        "furthest": serving.store.ask_days(_FURTHEST, _DRIFT, site.name, newest=1).to_dicts(),
        "incident_method": serving.settings.incident_method,
    }


def drift_chart(serving: Serving, site: KnownSite) -> Chart | None:
    """Return how far data and scores have moved from those that the models began with, by day."""
    days = serving.store.ask_days(_VERDICTS, _DRIFT, site.name, newest=DRIFT_DAYS)
    if days.is_empty():
        return None
    times = [datetime.combine(day, time(12), UTC) for day in days["date"]]
    drifted = days["is_drift"].to_list()
    return draw_chart(
        "Farthest feature and score",
        "population stability index",
        [
            Series(name="features", times=times, values=days["features"].to_list()),
            Series(name="scores", times=times, values=days["scores"].to_list(), tone="second"),
            Series(
                name="drift", times=times, kind="dots", tone="alarm",
                values=[
                    value if is_drift else None
                    for value, is_drift in zip(days["features"], drifted, strict=True)
                ],
            ),
        ],
        zone=site.timezone,
        span=(times[0] - _HALF_DAY, times[-1] + _HALF_DAY),
        from_zero=True,
    )  # fmt: skip
