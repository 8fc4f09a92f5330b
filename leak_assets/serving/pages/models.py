"""Models as their page shows them: versions, metrics beside gates, how often they were right."""

from typing import Any

from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite

_REGISTRY = (
    "SELECT * FROM models.registry WHERE network = ?"
    " ORDER BY model, status <> 'champion', event_at DESC"
)
_EVENTS = (
    "SELECT model, version, status, event_at, actor, note FROM models.registry_events"
    " WHERE network = ? ORDER BY event_at DESC LIMIT 20"
)
_METRICS = (
    "SELECT model, version, split, metric, value, gate, passed FROM models.evaluations"
    " WHERE network = ? ORDER BY gate IS NULL, metric"
)
_PRECISION = "SELECT * FROM incidents.precision WHERE network = ? ORDER BY month DESC, method"


def models_view(serving: Serving, site: KnownSite) -> dict[str, Any]:
    """Return what the page of the models shows of a network."""
    ask = serving.store.ask
    metrics = ask(_METRICS, [site.name]).to_dicts()
    versions = ask(_REGISTRY, [site.name]).to_dicts()
    for version in versions:
        mine = [
            m
            for m in metrics
            if (m["model"], m["version"]) == (version["model"], version["version"])
        ]
        test = [m for m in mine if m["split"] == "test"] or mine
        version["gates"] = [m for m in test if m["gate"] is not None]
        version["metrics"] = [m for m in test if m["gate"] is None]
        version["failed"] = sum(m["passed"] is False for m in version["gates"])
    return {
        "champions": [v for v in versions if v["status"] == "champion"],
        "versions": [v for v in versions if v["status"] != "champion"],
        "events": ask(_EVENTS, [site.name]).to_dicts(),
        "precision": ask(_PRECISION, [site.name]).to_dicts(),
        "incident_method": serving.settings.incident_method,
    }
