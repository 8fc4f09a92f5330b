"""The real daemon and webserver: a file is dropped, an incident can be queried."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets_tests.days import TOWN_DAYS, land_day
from leak_assets_tests.dev_server import kill_dev, running_dev, wait_for

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


def test_daemon_killed_in_the_middle_of_a_batch(
    home: Path, town_files: Path, graphql: Callable[[str, str], dict[str, Any]]
) -> None:
    """ORC3: killed with all its processes and started again: no file missed, none taken twice."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    environment = os.environ | {"LEAK_ASSETS_HOME": str(home)}

    def log_ends() -> str:
        return "\n".join((home / "dev.log").read_text("utf-8").splitlines()[-20:])

    def days_of(table: str) -> int:
        return len(ctx.warehouse.partitions(table, network="hanoi"))

    for day in TOWN_DAYS:
        land_day(ctx, town_files, day)
    landed = 2 * len(TOWN_DAYS)
    with running_dev(home, environment):
        # In the middle: readings of some days are written, none of the days has a summary.
        wait_for(lambda: days_of("telemetry.readings") > 0, 240, log_ends)
        kill_dev(home)
    assert days_of("incidents.summaries") < len(TOWN_DAYS)
    with running_dev(home, environment) as url:
        wait_for(lambda: days_of("incidents.summaries") == len(TOWN_DAYS), 150, log_ends)
        asked = "{ runsOrError { ... on Runs { results { status jobName tags { key value } } } } }"

        def runs() -> list[dict[str, Any]]:
            return list(graphql(url, asked)["runsOrError"]["results"])

        wait_for(lambda: all(r["status"] in ("SUCCESS", "FAILURE") for r in runs()), 120, log_ends)
        keys = [
            tag["value"] for run in runs() for tag in run["tags"] if tag["key"] == "dagster/run_key"
        ]
        assert len(keys) == len(set(keys)), "no run was asked for twice"
    ledger = ctx.warehouse.sql(
        "SELECT file_path, count(*) AS n FROM telemetry.ingest_ledger GROUP BY 1"
    )
    assert (ledger.height, ledger["n"].max()) == (landed, 1)
    raw = ctx.warehouse.sql(
        "SELECT count(*) AS n, count(DISTINCT (sensor_id, quantity, ts_utc)) AS readings"
        " FROM telemetry.raw_readings"
    )
    delivered = sum(
        line.count(";")
        for file in (town_files / "landing" / "hanoi").iterdir()
        for line in file.read_text().splitlines()[1:]
    )
    assert raw.row(0) == (delivered, delivered)
