"""The audit as OpenLineage events, held against the published schemas (Apache License 2.0)."""

import json
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource

from leak_assets.audit.chain import chain_of
from leak_assets.audit.openlineage import chain_document, run_uuid
from leak_assets.audit.trace import trace_incident
from leak_assets.system.documents import plain
from leak_assets_tests.unit.audit.conftest import RUN, LittleLake

FOLDER = Path(__file__).parent / "openlineage"
SPEC = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
REGISTRY = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in SPEC.values()
)
FACETS = {
    "schema": "SchemaDatasetFacet",
    "version": "DatasetVersionDatasetFacet",
    "storage": "StorageDatasetFacet",
    "documentation": "DocumentationDatasetFacet",
    "columnLineage": "ColumnLineageDatasetFacet",
    "outputStatistics": "OutputStatisticsOutputDatasetFacet",
    "dataQualityMetrics": "DataQualityMetricsInputDatasetFacet",
    "jobType": "JobTypeJobFacet",
    "processing_engine": "ProcessingEngineRunFacet",
}


@pytest.fixture
def document(little_lake: LittleLake) -> dict:
    """Return the audit of the little lake's incident as JSON reads it."""
    trace = trace_incident(little_lake.warehouse, little_lake.incident_id)
    chain = chain_of(little_lake.warehouse, little_lake.settings, trace)
    return json.loads(json.dumps(plain(chain_document(chain)), allow_nan=False))


def test_events_are_valid_openlineage(document: dict) -> None:
    """Every event is a RunEvent of 2.0.2, and every facet that OpenLineage knows is one of its."""
    event_schema = {"$ref": f"{SPEC['OpenLineage']['$id']}#/$defs/RunEvent"}
    check = jsonschema.Draft202012Validator(
        event_schema, registry=REGISTRY, format_checker=jsonschema.FormatChecker()
    )
    seen = set()
    for event in document["events"]:
        check.validate(event)
        for dataset in [event["run"], event["job"], *event["inputs"], *event["outputs"]]:
            for group in ("facets", "inputFacets", "outputFacets"):
                for name, facet in dataset.get(group, {}).items():
                    if name.startswith("leakAssets_"):
                        continue
                    seen.add(name)
                    schema = SPEC[FACETS[name]]
                    assert facet["_schemaURL"] == schema["$id"]
                    jsonschema.Draft202012Validator(schema, registry=REGISTRY).validate(
                        {name: facet}
                    )
    assert seen == set(FACETS)


def test_the_document_has_the_raw_files_name_and_hash(
    document: dict, little_lake: LittleLake
) -> None:
    """ORC11: as a row of the ledger, and as an input of the raw readings' event."""
    assert document["deliveries"][0]["file_sha256"] == little_lake.sha256
    (event,) = [e for e in document["events"] if e["job"]["name"] == "telemetry.raw_readings"]
    (delivered,) = event["inputs"]
    assert delivered["name"].endswith("2019_Pressures.csv")
    assert delivered["facets"]["leakAssets_delivery"]["sha256"] == little_lake.sha256


def test_runs_keep_their_uuid_and_others_get_a_stable_one() -> None:
    """Dagster's run is found by its id; a command's run always gets the same."""
    assert run_uuid(RUN) == RUN
    made = run_uuid("ingest-20261121T171500Z-3fa9c1")
    assert made == run_uuid("ingest-20261121T171500Z-3fa9c1")
    assert made != run_uuid("ingest-20261121T171500Z-3fa9c2")
