"""Models as their page shows them: versions, metrics beside gates, how often they were right."""

from typing import Any

from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite
from leak_assets.serving.network_answers import models_answer

_EVENTS = (
    "SELECT model, version, status, event_at, actor, note FROM models.registry_events"
    " WHERE network = ? ORDER BY event_at DESC LIMIT 20"
)


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
        "incident_method": serving.settings.incident_method,
    }
