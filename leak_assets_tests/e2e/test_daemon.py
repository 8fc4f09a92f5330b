"""The real daemon and webserver: a file is dropped, an incident can be queried."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leak_assets.context import StepContext
from leak_assets.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def dagster_url(home: Path) -> Iterator[str]:
    """`leak-assets dev` on a free port; stopped with all its processes afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (home / "dev.log").open("w")
    program = str(Path(sys.executable).with_name("leak-assets"))
    environment = os.environ | {"LEAK_ASSETS_HOME": str(home)}
    process = subprocess.Popen(
        [program, "dev", "--port", str(port)],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_up(url), 120, f"no webserver; {home}/dev.log says why")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def is_up(url: str) -> bool:
    """Whether the webserver answers."""
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=2) as answer:  # noqa: S310
            return answer.status == 200
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float, otherwise: str) -> float:
    """Wait until a condition holds and return how long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, otherwise
        time.sleep(0.2)
    return time.monotonic() - started


def graphql(url: str, query: str) -> dict[str, object]:
    """Return the data of a GraphQL query."""
    request = urllib.request.Request(  # noqa: S310
        f"{url}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return dict(json.load(answer)["data"])


def test_dropped_files_become_an_incident(dagster_url: str, home: Path, town_files: Path) -> None:
    """Files dropped into the landing zone: the daemon runs the micro-batch, SQL shows it."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    landing = ctx.settings.landing_dir / "hanoi"
    landing.mkdir(parents=True)
    for file in sorted((town_files / "landing" / "hanoi").iterdir()):
        shutil.copy(file, landing)

    def found() -> bool:
        return bool(ctx.warehouse.sql("SELECT count(*) AS n FROM incidents.summaries")["n"][0])

    seconds = wait_for(found, 240, f"no incident; {home}/dev.log says why")
    incidents = ctx.warehouse.sql("SELECT incident_id, summary FROM incidents.incidents")
    assert incidents.height >= 1
    assert "hanoi" in incidents["incident_id"][0]
    print(f"file drop to incident: {seconds:.1f} s for ten days")  # noqa: T201
    runs = graphql(dagster_url, "{ runsOrError { ... on Runs { results { status jobName } } } }")
    results = runs["runsOrError"]["results"]  # type: ignore[index]
    assert {"status": "SUCCESS", "jobName": "micro_batch"} in results or any(
        r["jobName"] == "micro_batch" for r in results
    )
    ledger = ctx.warehouse.sql("SELECT status FROM telemetry.ingest_ledger")
    assert set(ledger["status"]) == {"ingested"}
