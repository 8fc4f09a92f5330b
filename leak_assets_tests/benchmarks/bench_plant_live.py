"""A live plant: from a device's reading to its anomaly in the API, watch and server as processes.

Run it: python -m leak_assets_tests.benchmarks.bench_plant_live
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from leak_assets_tests.benchmarks.figures import Figure, print_figures
from leak_assets_tests.brokers import free_port, valkey
from leak_assets_tests.dev_server import wait_for
from leak_assets_tests.plants import plant_home, said
from leak_assets_tests.publishers import publish_redis

TOPIC = "Live plant: 100 sensors x 3 parameters every 2 s, Redis, one watch, one server"
COMMAND = "python -m leak_assets_tests.benchmarks.bench_plant_live"
_PROGRAM = [sys.executable, "-c", "from leak_assets.cli import main; main()"]
_TICK_S, _LOOK_S = 2.0, 0.05
_SPIKES = 3


def figures(*, smoke: bool = False) -> list[Figure]:
    """Return the time from a reading's device clock until a client of the API has its anomaly."""
    sensors, ticks = (5, 4) if smoke else (100, 45)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder) / "home"
        plant_home(home, sensors=sensors)
        broker = stack.enter_context(valkey(Path(folder) / "broker"))
        port = free_port()
        url = f"http://127.0.0.1:{port}/anomalies?limit=500"
        stack.enter_context(_running(home, "serve", "--port", str(port)))
        source = f"redis://127.0.0.1:{broker.port}?topics=plant"
        watch = stack.enter_context(
            _running(home, "plant", "watch", "--site", "works", "--source", source)
        )
        publish = publish_redis(broker.port, "plant")
        publish([json.dumps(said(datetime.now(UTC), temperature=99.0)).encode()])
        wait_for(lambda: bool(_seen(url)), 120, lambda: "no anomaly in the API")
        begun, used_s = time.monotonic(), _cpu_s(watch.pid)
        waits: list[float] = []
        for tick in range(ticks):
            at = datetime.now(UTC)
            # Every third device in turn is out of bounds.
            hot = {f"wtf-pipe-{(tick * _SPIKES + n) % sensors + 1}" for n in range(_SPIKES)}
            names = [f"wtf-pipe-{number}" for number in range(1, sensors + 1)]
            publish(
                [
                    json.dumps(said(at, name, temperature=45.2 if name in hot else 20.0)).encode()
                    for name in names
                ]
            )
            waits += _waits(url, at, len(hot), begun + (tick + 1) * _TICK_S)
            time.sleep(max(begun + (tick + 1) * _TICK_S - time.monotonic(), 0.0))
        if watch.poll() is not None:
            log = (home / "plant.log").read_text()
            raise RuntimeError(f"the watch ended by {watch.returncode}: {log[-2000:]}")
        share = (_cpu_s(watch.pid) - used_s) / (time.monotonic() - begun)
    p95 = sorted(waits)[int(0.95 * len(waits))]
    return [
        Figure(TOPIC, "reading to anomaly in the API, p95", p95, "s", "≤ 2.5", COMMAND),
        Figure(TOPIC, "reading to anomaly in the API, median", statistics.median(waits), "s", "",
               COMMAND),
        Figure(TOPIC, "anomalies looked for", float(len(waits)), "", "", COMMAND),
        Figure(TOPIC, "cores that the watch uses", share, "", "", COMMAND),
    ]  # fmt: skip


def _waits(url: str, at: datetime, count: int, until: float) -> list[float]:
    """Return the seconds until each anomaly of a time was seen; what was not seen is infinite."""
    waits: list[float] = []
    while len(waits) < count:
        new = sum(one == at for one in _seen(url))
        waits += [(datetime.now(UTC) - at).total_seconds()] * (new - len(waits))
        if time.monotonic() > until + 30:
            return waits + [float("inf")] * (count - len(waits))
        time.sleep(_LOOK_S)
    return waits


def _seen(url: str) -> list[datetime]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return [datetime.fromisoformat(one["timestamp"]) for one in json.load(answer)]
    except OSError:
        return []


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _running(home: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (home / f"{arguments[0]}.log").open("w") as log:
        process = subprocess.Popen(
            [*_PROGRAM, *arguments],
            env={**os.environ, "LEAK_ASSETS_HOME": str(home), "API_REQUESTS_PER_MINUTE": "100000"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    print_figures(figures())
