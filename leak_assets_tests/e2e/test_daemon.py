"""The real daemon and webserver: a file is dropped, an incident can be queried."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings

pytestmark = pytest.mark.slow


def test_dropped_files_become_an_incident(
    dagster_url: str,
    home: Path,
    town_files: Path,
    graphql: Callable[[str, str], dict[str, Any]],
) -> None:
    """Files dropped into the landing zone: the daemon runs the micro-batch, SQL shows it."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    landing = ctx.settings.landing_dir / "hanoi"
    landing.mkdir(parents=True)
    for file in sorted((town_files / "landing" / "hanoi").iterdir()):
        shutil.copy(file, landing)

    started = time.monotonic()
    while not ctx.warehouse.sql("SELECT count(*) AS n FROM incidents.summaries")["n"][0]:
        assert time.monotonic() - started < 240, f"no incident; {home}/dev.log says why"
        time.sleep(0.5)
    seconds = time.monotonic() - started
    incidents = ctx.warehouse.sql("SELECT incident_id, summary FROM incidents.incidents")
    assert incidents.height >= 1
    assert "hanoi" in incidents["incident_id"][0]
    print(f"file drop to incident: {seconds:.1f} s for ten days")  # noqa: T201
    runs = graphql(dagster_url, "{ runsOrError { ... on Runs { results { status jobName } } } }")
    results = runs["runsOrError"]["results"]
    assert [r["jobName"] for r in results] == ["micro_batch"]
    ledger = ctx.warehouse.sql("SELECT status FROM telemetry.ingest_ledger")
    assert set(ledger["status"]) == {"ingested"}
