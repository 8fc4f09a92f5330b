"""An incident's chain as OpenLineage run events: one for each run and box, with facets.

The format is OpenLineage 2.0.2 (https://openlineage.io/spec/2-0-2/OpenLineage.json). What
OpenLineage has no facet for (deliveries, models, records) is in facets of our own, `leakAssets_*`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import polars as pl

from leak_assets import __version__
from leak_assets.warehouse import Input
from leak_assets.warehouse.record import WriteRecord
from leak_assets.warehouse.schemas import TABLES

from .chain import Box, Chain
from .trace import EVENTS, Node, deliveries

PRODUCER = f"urn:leak-assets:{__version__}"
NAMESPACE = "leak-assets"
_SPEC = "https://openlineage.io/spec"
RUN_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "schema": f"{_SPEC}/facets/1-2-0/SchemaDatasetFacet.json",
    "version": f"{_SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json",
    "storage": f"{_SPEC}/facets/1-0-1/StorageDatasetFacet.json",
    "documentation": f"{_SPEC}/facets/1-1-0/DocumentationDatasetFacet.json",
    "columnLineage": f"{_SPEC}/facets/1-2-0/ColumnLineageDatasetFacet.json",
    "outputStatistics": f"{_SPEC}/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json",
    "dataQualityMetrics": f"{_SPEC}/facets/1-0-3/DataQualityMetricsInputDatasetFacet.json",
    "jobType": f"{_SPEC}/facets/2-0-4/JobTypeJobFacet.json",
    "processing_engine": f"{_SPEC}/facets/1-1-1/ProcessingEngineRunFacet.json",
}
Facet = dict[str, Any]


def chain_document(chain: Chain) -> dict[str, Any]:
    """Return the chain as one JSON document: what it is about, the deliveries, the run events."""
    incident = chain.trace.incident
    return {
        "incident": dict(incident),
        "revisions": [dict(row) for row in chain.trace.revisions],
        "notes": list(chain.notes),
        "deliveries": chain.ledger.to_dicts(),
        "summaries": chain.summaries.to_dicts(),
        "boxes": [_box(box) for box in chain.boxes],
        "events": run_events(chain),
    }


def run_events(chain: Chain) -> list[dict[str, Any]]:
    """Return a COMPLETE event for each run and box of tables, in order of time."""
    events = []
    for box in chain.boxes:
        by_run: dict[str, list[Node]] = {}
        for node in box.nodes:
            if node.record is not None:
                by_run.setdefault(node.record.run_id, []).append(node)
        for run, nodes in by_run.items():
            events.append(_event(chain, box, run, nodes))
    return sorted(events, key=lambda event: (event["eventTime"], event["job"]["name"]))


def run_uuid(run_id: str) -> str:
    """Return a run's identifier as the UUID that OpenLineage asks for.

    Dagster's are; of a run of the command line it follows from its name.
    """
    try:
        return str(UUID(run_id))
    except ValueError:
        return str(uuid5(NAMESPACE_URL, f"leak-assets/{run_id}"))


def _event(chain: Chain, box: Box, run: str, nodes: Sequence[Node]) -> dict[str, Any]:
    inputs = dict.fromkeys(
        source for node in nodes for source in chain.trace.edges.get(node.source, ())
    )
    records = [node.record for node in nodes if node.record is not None]
    return {
        "eventType": "COMPLETE",
        "eventTime": max(record.written_at for record in records),
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": {
            "runId": run_uuid(run),
            "facets": {
                "processing_engine": _facet(
                    "processing_engine", name="leak-assets", version=__version__
                ),
                "leakAssets_run": _own("run", runId=run),
            },
        },
        "job": {
            "namespace": NAMESPACE,
            "name": box.title,
            "facets": {
                "jobType": _facet(
                    "jobType", processingType="BATCH", integration="LEAK_ASSETS", jobType="STEP"
                ),
                "leakAssets_code": _own(
                    "code", codeVersions=sorted({record.code_version for record in records})
                ),
            },
        },
        "inputs": [_input(chain, source) for source in inputs],
        "outputs": [_output(chain, node, inputs) for node in nodes],
    }


def _output(chain: Chain, node: Node, inputs: Iterable[Input]) -> dict[str, Any]:
    record = node.record
    facets = _table_facets(node.source, record)
    lineage = _column_lineage(node.source.name, inputs)
    if lineage["fields"]:
        facets["columnLineage"] = lineage
    if node.source.name == EVENTS:
        incident = chain.trace.incident
        facets["leakAssets_incident"] = _own(
            "incident",
            incidentId=incident["incident_id"],
            hypothesisId=incident["hypothesis_id"],
            method=incident["method"],
            methodVersion=incident["method_version"],
            contractSha256=incident["contract_sha256"],
        )
    statistics = {} if record is None else {"rowCount": record.rows}
    return {
        **_dataset(node.source),
        "facets": facets,
        "outputFacets": {"outputStatistics": _facet("outputStatistics", fileCount=1, **statistics)},
    }


def _input(chain: Chain, source: Input) -> dict[str, Any]:
    node = chain.trace.nodes.get(source)
    record = None if node is None else node.record
    if source.kind == "table":
        facets = _table_facets(source, record)
        rows = None if record is None else record.rows
    else:
        facets, rows = _given_facets(chain, source)
    result = {**_dataset(source), "facets": facets}
    if rows is not None:
        quality = _facet("dataQualityMetrics", rowCount=rows, columnMetrics={})
        result["inputFacets"] = {"dataQualityMetrics": quality}
    return result


def _given_facets(chain: Chain, source: Input) -> tuple[dict[str, Facet], int | None]:
    facets = {}
    if source.version:
        facets["version"] = _facet("version", datasetVersion=source.version)
    if source not in set(deliveries(chain.trace)):
        facets["leakAssets_given"] = _own("given", kind=source.kind, name=source.name)
        return facets, None
    known = chain.ledger.filter(
        (pl.col("file_sha256") == source.version) & (pl.col("file_path") == source.name)
    )
    row = known.row(0, named=True) if known.height else {}
    facets["leakAssets_delivery"] = _own(
        "delivery",
        file=source.name,
        sha256=source.version,
        receivedAt=row["received_at"].isoformat() if row else None,
        accepted=row.get("accepted"),
        quarantined=row.get("quarantined"),
    )
    return facets, row.get("readings")


def _table_facets(source: Input, record: WriteRecord | None) -> dict[str, Facet]:
    table = TABLES[source.name]
    facets = {
        "schema": _facet(
            "schema",
            fields=[
                {"name": c.name, "type": str(c.dtype), "description": c.description}
                for c in table.columns
            ],
        ),
        "documentation": _facet("documentation", description=table.row),
        "version": _facet("version", datasetVersion=source.version),
        "storage": _facet("storage", storageLayer="leak-assets", fileFormat="parquet"),
    }
    if record is not None:
        facets["leakAssets_record"] = _own(
            "record",
            rows=record.rows,
            firstTs=record.first_ts,
            lastTs=record.last_ts,
            codeVersion=record.code_version,
            writtenAt=record.written_at,
        )
    return facets


def _column_lineage(table: str, inputs: Iterable[Input]) -> Facet:
    """Return where the columns that identify a row come from: those that its inputs share."""
    found: dict[str, dict[str, Any]] = {}
    for source in inputs:
        if source.kind != "table":
            continue
        for column in set(TABLES[table].key) & set(TABLES[source.name].key):
            mine = found.setdefault(column, {"inputFields": []})
            mine["inputFields"].append(
                {
                    **_dataset(source),
                    "field": column,
                    "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}],
                }
            )
    return _facet("columnLineage", fields=found)


def _dataset(source: Input) -> dict[str, str]:
    place = f"/{source.partition}" if source.partition else ""
    kind = "" if source.kind == "table" else f"{source.kind}:"
    return {"namespace": NAMESPACE, "name": f"{kind}{source.name}{place}"}


def _facet(name: str, /, **fields: Any) -> Facet:
    return {"_producer": PRODUCER, "_schemaURL": _FACETS[name], **fields}


def _own(name: str, /, **fields: Any) -> Facet:
    return {"_producer": PRODUCER, "_schemaURL": f"urn:leak-assets:facet:{name}:1", **fields}


def _box(box: Box) -> Mapping[str, Any]:
    return {
        "title": box.title,
        "kind": box.kind,
        "facts": list(box.lines),
        "sql": list(box.queries),
        "runs": [{"run_id": run, "url": url} for run, url in box.runs],
        "asset_url": box.asset_url,
    }
