"""Where an incident comes from, as the audit knows it; kept while nothing is published.

What an audit finds is `leak_assets.audit`'s; here it becomes plain data.
"""

from typing import Any, Literal

from leak_assets.warehouse.schemas import TABLES

from .context import Serving

Form = Literal["boxes", "openlineage"]
_SIZE = 4 * 2**20


def incident_lineage(serving: Serving, incident_id: str, *, form: Form = "boxes") -> dict[str, Any]:
    """Return what an incident was made from: boxes with their sources, or OpenLineage events.

    Raises
    ------
    InputError
        There is no such incident.
    """
    return serving.store.keep(
        ("lineage", incident_id, form),
        TABLES,
        lambda: _lineage(serving, incident_id, form),
        size=_SIZE,
    )


def _lineage(serving: Serving, incident_id: str, form: Form) -> dict[str, Any]:
    # Behind it stand the models' libraries.
    from leak_assets.audit.chain import chain_of
    from leak_assets.audit.openlineage import chain_document
    from leak_assets.audit.trace import trace_incident

    trace = trace_incident(serving.warehouse, incident_id)
    chain = chain_of(serving.warehouse, serving.settings, trace)
    if form == "openlineage":
        return {"incident_id": incident_id, "openlineage": chain_document(chain)}
    boxes = [
        {
            "key": box.key,
            "kind": box.kind,
            "title": box.title,
            "lines": list(box.lines),
            "stage": box.stage,
            "sources": list(box.sources),
            "runs": [{"run_id": run, "url": url} for run, url in box.runs],
            "queries": list(box.queries),
        }
        for box in chain.boxes
    ]
    return {"incident_id": incident_id, "notes": list(chain.notes), "boxes": boxes}
