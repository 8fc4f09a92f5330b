"""The API under 50 requests a second while a run writes: how long answers take, and errors.

The server is `leak-assets serve` in a process of its own, over a town's week with incidents. The
run is `process_landing_zone` with a half-hour after the other, from landing file to incidents.
Requests begin by the clock, whether those before are answered or not, and count from then on.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from statistics import quantiles

from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.sources.landing import SETTLE_S
from leak_assets_tests.benchmarks.figures import Figure, print_figures
from leak_assets_tests.days import TOWN_DAYS
from leak_assets_tests.towns import write_town_files

COMMAND = "python -m leak_assets_tests.benchmarks.bench_api"
SITE = "hanoi"
PER_S = 50
HISTORY_DAYS = 8
_CLIENTS = 32


@dataclass
class Answers:
    """What came of requests: seconds from when each was due, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)


def made_home(folder: Path, days: int) -> Path:
    """Return a home with a town's first days from files to incidents; the rest lies beside."""
    home = folder / "home"
    settings = Settings(LEAK_ASSETS_HOME=home)
    settings.networks_dir.mkdir(parents=True)
    # The town's ten days leave no room for a week without leaks.
    (settings.networks_dir / f"{SITE}.yaml").write_text("reference_days: 4\n")
    ctx = StepContext.local(settings)
    write_town_files(network_site(SITE, settings), folder)
    first = [str(day) for day in TOWN_DAYS[:days]]
    land(folder, ctx, lambda line: line[:10] in first, "first")
    process_landing_zone(ctx, ctx.site(SITE))
    return home


def land(folder: Path, ctx: StepContext, is_wanted: object, name: str) -> None:
    """Deliver some lines of the town's files."""
    parts = folder / "parts"
    parts.mkdir(exist_ok=True)
    for file in sorted((folder / "landing" / SITE).iterdir()):
        header, *lines = file.read_text().splitlines(keepends=True)
        part = parts / f"{name}_{file.name}"
        part.write_text(header + "".join(line for line in lines if is_wanted(line)))  # type: ignore[operator]
        deliver([part], ctx.settings.landing_dir, SITE)
    time.sleep(SETTLE_S + 0.1)


def write_on(folder: Path, days: int) -> None:
    """Take half-hours after the first days to incidents, one run each, until stopped."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=folder / "home"), command="bench")
    for day in TOWN_DAYS[days:]:
        for number in range(48):
            begin = timedelta(minutes=30 * number)
            hours, minutes = divmod(int(begin.total_seconds()) // 60, 60)
            clocks = [f"{day} {hours:02d}:{minutes + m:02d}" for m in range(0, 30, 5)]
            land(folder, ctx, lambda line, of=clocks: line[:16] in of, f"{day}-{number}")
            process_landing_zone(ctx, ctx.site(SITE))
            sys.stdout.write(f"{day} {number}\n")
            sys.stdout.flush()


@contextmanager
def server(home: Path) -> Iterator[int]:
    """Run the server; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    main = "from leak_assets.cli import main; main()"
    command = [sys.executable, "-c", main, "serve", "--port", str(port)]
    environment = {**os.environ, "LEAK_ASSETS_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while not _is_up(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.1)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _is_up(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def paths(port: int) -> list[str]:
    """Return what is asked for in turn: what a dashboard and an integrator look at."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/incidents")
    incidents = json.loads(connection.getresponse().read())["incidents"]
    sensor = f"site={SITE}&sensor=13&quantity=pressure"
    found = [
        "/incidents", "/incidents?status=new&status=open&limit=20", "/networks", "/sites",
        f"/networks/{SITE}.geojson", f"/networks/{SITE}/residuals", f"/quality?network={SITE}",
        f"/readings?{sensor}", f"/readings?{sensor}&since=2019-03-05&until=2019-03-11",
        f"/channels?network={SITE}&channel=pressure/13", f"/water-balance?network={SITE}",
        "/status", "/anomalies", "/metrics/prometheus", "/health",
    ]  # fmt: skip
    for row in incidents:
        one = f"/incidents/{row['incident_id']}"
        found += [one, f"{one}/history", f"{one}/candidates.geojson"]
    return found


def load(port: int, asked: Sequence[str], seconds: float, per_s: int) -> Answers:
    """Ask by the clock; every other request has the validator of the answer before."""
    answers, validators = Answers(), dict[str, str]()
    own, lock = threading.local(), threading.Lock()

    def ask(path: str, due: float, is_polling: bool) -> None:
        connection = getattr(own, "connection", None)
        if connection is None:
            connection = own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {}
        if is_polling and path in validators:
            headers["If-None-Match"] = validators[path]
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            own.connection = None
            with lock:
                answers.problems.append(f"{path}: {error!r}")
            return
        took = time.perf_counter() - due
        with lock:
            answers.seconds.append(took)
            answers.unchanged += response.status == 304
            validators[path] = response.headers.get("ETag", "")
            if response.status not in (200, 304):
                answers.problems.append(f"{path}: {response.status}")

    with ThreadPoolExecutor(_CLIENTS) as pool:
        begin = time.perf_counter() + 0.2
        turns = cycle(asked)
        for number in range(int(seconds * per_s)):
            due = begin + number / per_s
            time.sleep(max(0.0, due - time.perf_counter()))
            pool.submit(ask, next(turns), due, number % 2 == 0)
    return answers


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield how long answers took, and how many failed, with a run beside and without."""
    seconds, days = (2.0, 5) if smoke else (60.0, HISTORY_DAYS)
    per_s = 10 if smoke else PER_S
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = made_home(folder, days)
        with server(home) as port:
            asked = paths(port)
            load(port, asked, len(asked) / per_s, per_s)
            alone = load(port, asked, seconds / 4, per_s)
            command = [sys.executable, "-m", __spec__.name, "write", name, str(days)]
            run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            try:
                beside = load(port, asked, seconds, per_s)
                is_writing = run.poll() is None
            finally:
                run.kill()
                written = len((run.communicate()[0] or "").splitlines())
    topic = f"API: {per_s} requests/s for {seconds:.0f} s, {len(asked)} addresses in turn"
    for what, answers in (("", beside), (", no run beside", alone)):
        cuts = quantiles(answers.seconds, n=100)
        for place, reach in ((50, ""), (95, "" if what else "≤ 50"), (99, "")):
            told = f"time to answer, percentile {place}{what}"
            yield Figure(topic, told, cuts[place - 1] * 1000, "ms", reach, COMMAND)
        errors = float(len(answers.problems))
        yield Figure(topic, f"errors{what}", errors, "", "0", COMMAND)
        for problem in answers.problems[:3]:
            sys.stderr.write(f"{problem}\n")
    yield Figure(topic, "half-hours from file to incidents", float(written), "", "", COMMAND)
    went_on = "yes" if is_writing else "no"
    yield Figure(topic, "the run wrote to the end", went_on, "", "yes", COMMAND)
    share = beside.unchanged / max(1, len(beside.seconds))
    yield Figure(topic, "answers that had not changed (304)", share, "", "", COMMAND)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "write":
        write_on(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print_figures(figures(smoke="--smoke" in sys.argv))
