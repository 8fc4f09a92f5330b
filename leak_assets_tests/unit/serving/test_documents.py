"""The API's own documents hold: whatever is asked is answered as they say, never with a fault."""

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs

import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode, checks
from schemathesis.specs.openapi import checks as conformance

from leak_assets.pipeline.context import StepContext
from leak_assets.serving.app import build_app
from leak_assets.settings import Settings

EXAMPLES = 5
# A replay takes seconds in a process of its own; its parameters are tested without.
SLOW = ("/incidents/{incident_id}/replay",)
# Half of the requests name what there is, so that answers are seen as well as refusals.
KNOWN = {"network": "net1", "site": "net1", "sensor": "n1", "quantity": "pressure"}
CHECKS = [
    checks.not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
]


def test_every_example_of_the_guide_is_an_endpoint(asked: TestClient) -> None:
    """What `docs/api.md` shows with curl is in the documents, with its parameters."""
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    shown = re.findall(r'curl (-X PATCH )?"\$api(/[^"?]*)\??([^"]*)"', text)
    assert len(shown) >= 25
    documents = asked.get("/openapi.json").json()["paths"]
    for patch, path, query in shown:
        (operations,) = [
            operations
            for template, operations in documents.items()
            if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path)
            and not (path.endswith(".geojson") and not template.endswith(".geojson"))
        ]
        operation = operations["patch" if patch else "get"]
        known = {one["name"] for one in operation.get("parameters", [])}
        assert set(parse_qs(query)) <= known, path


def test_the_documents_hold(served_ctx: StepContext, tmp_path: Path) -> None:
    """API6, OPS8: each operation at random, with values that fit and values that do not."""
    # Some of what is asked changes incidents.
    home = shutil.copytree(served_ctx.settings.home, tmp_path / "home")
    app = build_app(Settings(LEAK_ASSETS_HOME=home))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    names = served_ctx.warehouse.sql("SELECT incident_id FROM incidents.incidents")["incident_id"]
    paths = {"incident_id": names[0], "name": "net1"}
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:
        if operation.path in SLOW:
            continue
        for mode in GenerationMode:

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
            def ask(case: Case, is_known: bool) -> None:
                if is_known:
                    for given_, known in ((case.path_parameters, paths), (case.query, KNOWN)):
                        for name in given_:
                            given_[name] = known.get(name, given_[name])
                case.call_and_validate(checks=CHECKS)

            try:
                ask()
            except Unsatisfiable:
                # What takes no parameter cannot be asked wrongly.
                assert mode is GenerationMode.NEGATIVE
