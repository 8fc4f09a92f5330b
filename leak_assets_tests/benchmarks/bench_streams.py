"""Streams: readings a second of one collector, its memory, and what is left after kills.

Ten minutes and twenty rounds for each broker (an hour and more), or all three in two minutes:

    python -m leak_assets_tests.benchmarks.bench_streams --seconds 600 --rounds 20
    python -m leak_assets_tests.benchmarks.bench_streams --short
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from leak_assets.settings import Settings
from leak_assets.sites.site import find_site
from leak_assets.telemetry.sources.spool import Spool
from leak_assets_tests.benchmarks.figures import Figure, print_figures
from leak_assets_tests.brokers import (
    Broker,
    mosquitto,
    mosquitto_binary,
    valkey,
    valkey_binary,
)
from leak_assets_tests.collectors import collector, payloads_of, survive, write_source
from leak_assets_tests.publishers import publish_mqtt, publish_redis

NETWORK = "l-town"
# A gateway's snapshot: all 33 pressure sensors of L-Town at one time.
SENSORS = 33
REACH = 20_000
# Sent a second, of the reach: at the reach itself the last messages' way would miss it.
PACE = 1.25
MESSAGES = 10_000
# Seconds of the steady rate, rounds of kills and messages of a round that take two minutes.
SHORT = (18.0, 2, 1000)
COMMAND = "python -m leak_assets_tests.benchmarks.bench_streams"
Publish = Callable[[Sequence[bytes]], None]


@dataclass(frozen=True)
class Kind:
    """A kind of broker: how it is run, and how messages are sent to it."""

    name: str
    scheme: str
    run: Callable[[Path], AbstractContextManager[Broker]]
    publisher: Callable[[int, str], Publish]


def kinds() -> list[Kind]:
    """Return the brokers that are installed."""
    found = []
    if valkey_binary() is not None:
        found.append(Kind("Redis stream", "redis", valkey, publish_redis))
    if mosquitto_binary() is not None:
        found.append(Kind("MQTT", "mqtt", mosquitto, publish_mqtt))
    return found


def snapshots(count: int, first: int, ids: Sequence[str]) -> list[bytes]:
    """Return messages of one reading of each sensor, at different times."""
    start = datetime.now(UTC) - timedelta(hours=2)
    made = []
    for number in range(first, first + count):
        ts = (start + timedelta(milliseconds=number)).isoformat()
        entries = ",".join(
            f'{{"sensor":"{sensor}","value":{30 + (number + place) % 997 / 100}}}'
            for place, sensor in enumerate(ids)
        )
        made.append(
            f'{{"ts":"{ts}","quantity":"pressure","unit":"m","readings":[{entries}]}}'.encode()
        )
    return made


def memory_mib(pid: int) -> float:
    """Return what a process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"no process {pid}")


def cpu_s(pid: int) -> float:
    """Return the processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Taker(threading.Thread):
    """Takes batches out of the spool as runs do, and counts their rows."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.rows = 0
        self.is_over = threading.Event()
        self._spool = Spool("scada", Settings(LEAK_ASSETS_HOME=home))

    def run(self) -> None:
        """Look ten times a second."""
        while not self.is_over.wait(0.1):
            for batch in self._spool.waiting():
                self.rows += pl.scan_parquet(batch.path).select(pl.len()).collect().item()
                self._spool.acknowledge(batch)


def sustained(kind: Kind, folder: Path, seconds: float) -> Iterator[Figure]:
    """Yield readings a second at a steady rate, the most of a backlog, and memory over time."""
    topic = f"Streams: {kind.name}, {SENSORS} readings a message, one collector"
    home = folder / "home"
    layout = find_site(NETWORK, Settings()).layout
    ids = layout.ids("pressure")[:SENSORS]
    with ExitStack() as stack:
        broker = stack.enter_context(kind.run(folder / "broker"))
        url = f"{kind.scheme}://127.0.0.1:{broker.port}"
        source = write_source(folder, url, "town", site=NETWORK)
        publish = kind.publisher(broker.port, "town")
        process = stack.enter_context(collector(home, source))
        taker = Taker(home)
        taker.start()
        stack.callback(taker.is_over.set)
        # What libraries take when they are used first is not what a stream takes.
        sent = 100
        publish(snapshots(sent, 0, ids))
        _wait(lambda: taker.rows >= sent * SENSORS)
        began, used, memory = time.monotonic(), cpu_s(process.pid), []
        a_second = int(PACE * REACH / SENSORS)
        for second in range(int(seconds)):
            publish(snapshots(a_second, sent, ids))
            sent += a_second
            memory.append(memory_mib(process.pid))
            time.sleep(max(began + second + 1 - time.monotonic(), 0))
        _wait(lambda: taker.rows >= sent * SENSORS)
        elapsed = time.monotonic() - began
        readings = (sent - 100) * SENSORS
        busy = cpu_s(process.pid) - used
        third = max(len(memory) // 3, 1)
        growth = _mean(memory[-third:]) / _mean(memory[third : 2 * third] or memory)
        yield Figure(topic, f"readings received and durable in {seconds:,.0f} s", readings, "")
        yield Figure(
            topic, "readings a second, sender included", readings / elapsed, "1/s", f"≥ {REACH:,}",
            COMMAND,
        )  # fmt: skip
        yield Figure(
            topic, "readings a second of the collector's processor time", readings / busy, "1/s",
            f"≥ {REACH:,}", COMMAND,
        )  # fmt: skip
        yield Figure(topic, "lost or doubled", taker.rows - sent * SENSORS, "", "0", COMMAND)
        yield Figure(topic, "memory of the collector, maximum", max(memory), "MiB", "", COMMAND)
        yield Figure(
            topic, f"memory, last third of {seconds:,.0f} s over the middle third", growth, "",
            "≤ 1.05", COMMAND,
        )  # fmt: skip


def killed(kind: Kind, folder: Path, rounds: int, messages: int) -> Iterator[Figure]:
    """Yield what is lost and doubled when collector and run are killed at random."""
    topic = f"Streams: {kind.name}, kill -9 of collector and run, {messages:,} messages a round"
    home = folder / "home"
    lost = doubled = kills = 0
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=12)
    with kind.run(folder / "broker") as broker:
        source = write_source(folder, f"{kind.scheme}://127.0.0.1:{broker.port}", "town")
        with collector(home, source):
            # An MQTT session begins with its first collector.
            time.sleep(3)
        publish = kind.publisher(broker.port, "town")
        for number in range(rounds):
            sent = payloads_of(
                messages,
                start + number * messages * timedelta(milliseconds=100),
                timedelta(milliseconds=100),
            )
            outcome = survive(home, source, publish, sent, seed=number)
            lost, doubled, kills = (
                lost + outcome.lost, doubled + outcome.doubled, kills + outcome.kills,
            )  # fmt: skip
    yield Figure(topic, "rounds", rounds, "", "", COMMAND)
    yield Figure(topic, "kills", kills, "", "", COMMAND)
    yield Figure(topic, "messages lost", lost, "", "0", COMMAND)
    yield Figure(topic, "messages doubled", doubled, "", "0", COMMAND)


def figures(
    *, smoke: bool = False, seconds: float = 60.0, rounds: int = 10, messages: int = MESSAGES
) -> Iterator[Figure]:
    """Yield the figures of each broker that is installed; their rows say how long each ran."""
    if smoke:
        seconds, rounds, messages = 2.0, 1, 300
    for number, kind in enumerate(kinds()):
        with tempfile.TemporaryDirectory() as folder:
            yield from sustained(kind, Path(folder), seconds)
        if smoke and number:
            # An end-to-end test kills with each broker; here one shows that the benchmark runs.
            continue
        with tempfile.TemporaryDirectory() as folder:
            yield from killed(kind, Path(folder), rounds, messages)


def _wait(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("messages do not arrive")
        time.sleep(0.02)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the steady rate")
    parser.add_argument("--rounds", type=int, default=10, help="of kills, for each broker")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="of each round of kills")
    parser.add_argument("--short", action="store_true", help="all figures in two minutes")
    options = parser.parse_args()
    if options.short:
        options.seconds, options.rounds, options.messages = SHORT
    print_figures(
        figures(
            smoke=options.smoke,
            seconds=options.seconds,
            rounds=options.rounds,
            messages=options.messages,
        )
    )
