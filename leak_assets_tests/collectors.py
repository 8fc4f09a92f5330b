"""The collector and a run as processes of their own, killed at random while messages come.

`python -m leak_assets_tests.collectors HOME` takes what waits there again and again, as runs do.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import yaml

from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.telemetry.raw_steps import RAW, take_deliveries

SITE = "hanoi"
SENSOR = "12"
_LONGEST_S = 300.0
_ENDS_S = 60.0
# Messages that are sent together at most; of few messages an eighth, so that they see kills.
_TOGETHER, _PARTS = 200, 8


@dataclass(frozen=True)
class Outcome:
    """What became of messages of one reading each: all are to be there, once."""

    sent: int
    rows: int
    different: int
    kills: int

    @property
    def lost(self) -> int:
        """Messages without a row."""
        return self.sent - self.different

    @property
    def doubled(self) -> int:
        """Rows of a message that has one already."""
        return self.rows - self.different


def write_source(folder: Path, url: str, *topics: str, **more: object) -> Path:
    """Write the YAML file of a source of Hanoi."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "source.yaml"
    content = {"name": "scada", "url": url, "topics": list(topics), "site": SITE, **more}
    path.write_text(yaml.safe_dump(content))
    return path


class _Process(subprocess.Popen[bytes]):
    """A process that says a line when it begins its work."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.ready = threading.Event()
        environment = {**os.environ, "LEAK_ASSETS_HOME": str(home)}
        super().__init__(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._lines = threading.Thread(
            target=self._read, args=(home / "processes.log",), daemon=True
        )
        self._lines.start()

    def _read(self, path: Path) -> None:
        assert self.stdout is not None
        with path.open("ab") as log:
            for line in self.stdout:
                self.ready.set()
                log.write(line)
                log.flush()
        self.ready.set()


@contextmanager
def _process(command: Sequence[str], home: Path) -> Iterator[_Process]:
    process = _Process(command, home)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_ENDS_S)
        finally:
            # Whatever was wrong with it: no process outlives its test.
            process.kill()
            process.wait()


@contextmanager
def collector(home: Path, source: Path) -> Iterator[_Process]:
    """Run `leak-assets collect` as a process; it is ended with SIGTERM."""
    code = "from leak_assets.cli import main; main()"
    command = [sys.executable, "-c", code, "collect", "--source", str(source)]
    with _process(command, home) as process:
        process.ready.wait(timeout=_LONGEST_S)
        yield process


def survive(
    home: Path,
    source: Path,
    publish: Callable[[Sequence[bytes]], None],
    payloads: Sequence[bytes],
    *,
    seed: int,
) -> Outcome:
    """Publish messages while the collector and a run are killed at random; say what arrived.

    Parameters
    ----------
    home
        Home of the platform; rows of earlier messages there do not count.
    source
        File of the source.
    publish
        Sends to its broker.
    payloads
        Messages of one reading each, no two of one time.
    """
    before = _rows(home)
    kills: list[int] = []
    is_over, alive = threading.Event(), threading.Event()
    code = "from leak_assets.cli import main; main()"
    commands = [
        [sys.executable, "-c", code, "collect", "--source", str(source)],
        [sys.executable, "-m", __spec__.name if __spec__ else __name__, str(home)],
    ]
    alives = [alive, threading.Event()]
    killers = [
        threading.Thread(
            target=_kill,
            args=(command, home, random.Random(f"{seed} {n}"), is_over, kills, alives[n]),  # noqa: S311
        )
        for n, command in enumerate(commands)
    ]
    for killer in killers:
        killer.start()
    rng = random.Random(seed)  # noqa: S311
    together = max(min(_TOGETHER, len(payloads) // _PARTS), 1)
    for first in range(0, len(payloads), together):
        # They come while a collector lives, so that most of them see one die.
        alive.wait(timeout=_LONGEST_S)
        publish(payloads[first : first + together])
        time.sleep(rng.uniform(0, 0.5))
    deadline = time.monotonic() + _LONGEST_S
    while _rows(home)[1] < before[1] + len(payloads) and time.monotonic() < deadline:
        time.sleep(0.5)
    is_over.set()
    for killer in killers:
        killer.join()
    # What comes again after a kill is merged, too.
    with collector(home, source):
        time.sleep(3)
    take(home)
    rows, different = (now - then for now, then in zip(_rows(home), before, strict=True))
    return Outcome(len(payloads), rows, different, len(kills))


def _kill(
    command: Sequence[str],
    home: Path,
    rng: random.Random,
    is_over: threading.Event,
    kills: list[int],
    alive: threading.Event,
) -> None:
    """Run a command again and again, killed each time; at last a time that is not."""
    for number in range(1000):
        with _process(command, home) as process:
            process.ready.wait(timeout=_LONGEST_S)
            alive.set()
            # The first two die in the middle of their first messages, a third has done a lot.
            longest_s = 0.5 if number < 2 else 3.0 if number % 3 != 2 else 9.0
            if is_over.wait(rng.uniform(0.1, longest_s)):
                return
            alive.clear()
            process.kill()
            kills.append(process.pid)


def _rows(home: Path) -> tuple[int, int]:
    """Return the rows of the raw log, and how many of them are of different readings."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    rows = ctx.warehouse.read_all(RAW)
    return rows.height, rows.select(pl.struct("sensor_id", "quantity", "ts_utc").n_unique()).item()


def payloads_of(count: int, start: datetime, step: timedelta) -> list[bytes]:
    """Return messages of one reading each, at different times."""
    return [
        f'{{"sensor":"{SENSOR}","quantity":"pressure","value":{30 + n % 997 / 100},'
        f'"ts":"{(start + n * step).isoformat()}","seq":{n}}}'.encode()
        for n in range(count)
    ]


def take(home: Path) -> None:
    """Take what waits into the raw log, as a run does."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    today = datetime.now(UTC).date()
    take_deliveries(ctx, ctx.network(SITE), [today - timedelta(days=n) for n in range(-1, 5)])


if __name__ == "__main__":
    # A parent that ignores the signal hands that on.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    take(Path(sys.argv[1]))
    # Imports and the first look at the network are behind it.
    sys.stdout.write("taking\n")
    sys.stdout.flush()
    while True:
        take(Path(sys.argv[1]))
        time.sleep(0.2)
