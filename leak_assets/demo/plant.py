"""The plant's demo: a simulated plant, its live watch, its summaries and the API in one command.

Devices are simulated; from their messages on everything is what a real plant would get.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.plant.messages import of_plant
from leak_assets.plant.profile import UNITS
from leak_assets.plant.simulator.stream import DRIVER
from leak_assets.runs.plant_watch import PlantWatch, alone
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.system.terminal import console, print_json
from leak_assets.telemetry.sources.background import collecting
from leak_assets.telemetry.sources.stream_config import StreamConfig

SITE = "demo-plant"
INTERVAL_S = 15.0
"""So long instead of a minute: who looks at a demo does not wait."""
_PAST_S, _RATE_PER_H = 600, 120.0
_START_S = 60.0


def run_plant_demo(
    settings: Settings, *, sensors: int, seconds: float, port: int, seed: int, as_json: bool
) -> None:
    """Run the demo until Ctrl-C, or for some seconds.

    Raises
    ------
    InputError
        The port is taken, or another demo runs.
    """
    interval_s = min(settings.summary_interval_s, INTERVAL_S)
    settings = settings.model_copy(update={"summary_interval_s": interval_s})
    register(settings, sensors)
    ctx = StepContext.local(settings, command="plant-demo")
    config = of_plant(
        StreamConfig(
            name=SITE,
            url="simulated://devices",
            topics=("plant",),
            driver=DRIVER,
            options={
                "sensors": sensors,
                "seed": seed,
                "past_s": _PAST_S,
                "anomaly_rate_per_h": _RATE_PER_H,
            },
        ),
        SITE,
    )
    url = f"http://127.0.0.1:{port}"

    def say(line: str) -> None:
        typer.echo(line, err=True)

    with alone(settings, SITE), serving(settings, port):
        watch = PlantWatch(ctx, ctx.site(SITE), say)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: watch.stop())
        say(f"{SITE}: {sensors} simulated sensors, every 2 s; the last ten minutes come first")
        guide = threading.Thread(
            target=_guide, args=(watch, url, seconds, None if as_json else say), daemon=True
        )
        with collecting(config, settings, ctx.warehouse, say, watch.stop):
            guide.start()
            counts = watch.run()
        watch.tell_now()
        found = {
            "open": f"{url}/",
            "readings": counts.readings,
            "anomalies": _ask(f"{url}/metrics?site={SITE}")["anomalies_by_type"],
            "summary": _ask(f"{url}/summary?site={SITE}")["summary"],
        }
    if as_json:
        print_json(found)
        return
    by_type = ", ".join(f"{count} {kind}" for kind, count in found["anomalies"].items())
    screen = console()
    screen.print(f"{counts.readings:,} readings judged; of the newest anomalies: {by_type}")
    screen.print(found["summary"], soft_wrap=True, markup=False, highlight=False)
    for line in (
        "Where to look next:",
        f"  leak-assets serve --port {port}   (then {url}/)",
        f"  leak-assets plant anomalies --site {SITE} --limit 10",
        f"  leak-assets plant watch --site {SITE} --source 'redis://localhost:6379?topics=plant'",
    ):
        screen.print(line, soft_wrap=True, markup=False, highlight=False)


def register(settings: Settings, sensors: int) -> None:
    """Register the demo's plant, as a user registers one."""
    names = [f"wtf-pipe-{number}" for number in range(1, sensors + 1)]
    groups = [
        {"quantity": parameter, "unit": unit, "ids": names} for parameter, unit in UNITS.items()
    ]
    said = {
        "name": SITE,
        "kind": "plant",
        "title": "Demo plant",
        "cadence_s": 2,
        "sensors": groups,
        "details": {"profile": "wtf_strict"},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{SITE}.yaml"
        # JSON is YAML.
        path.write_text(json.dumps(said, ensure_ascii=False), "utf-8")
        register_site(path, settings)


@contextmanager
def serving(settings: Settings, port: int) -> Iterator[None]:
    """Run `leak-assets serve` while the block runs.

    Raises
    ------
    InputError
        It does not start.
    """
    program = "from leak_assets.cli import main; main()"
    process = subprocess.Popen(  # noqa: S603 - this program
        [sys.executable, "-c", program, "serve", "--port", str(port)],
        env=_environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C is for the watch, which ends it: its last words are asked of it before.
        start_new_session=True,
    )
    try:
        _wait_until_up(process, port)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, "LEAK_ASSETS_HOME": str(settings.home.resolve())}


def _wait_until_up(process: "subprocess.Popen[str]", port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            _ask(f"http://127.0.0.1:{port}/health")
        except OSError:
            time.sleep(0.1)
            continue
        # Another server may answer there, while ours fails to bind.
        time.sleep(0.3)
        if process.poll() is None:
            return
    raise InputError(
        f"the API does not start on port {port}", remedy="Choose a free one with --port"
    )


def _guide(watch: PlantWatch, url: str, seconds: float, say: Callable[[str], None] | None) -> None:
    """Say what to open once there is something to see; end the watch when its time is over."""
    # The time of a demo begins with its first readings, however slow the machine is.
    deadline = time.monotonic() + _START_S
    while not watch.counts.readings and time.monotonic() < deadline:
        time.sleep(0.1)
    started = time.monotonic()
    is_told = say is None
    while not seconds or time.monotonic() < started + seconds:
        if not is_told and say is not None and _has_something(url):
            is_told = True
            say("")
            say(f"Open {url}/ (dashboard) or {url}/docs (API); for example")
            say(f"  curl {url}/anomalies?limit=3")
            say(f"  curl {url}/summary")
            say("Ctrl-C ends it.")
            say("")
        time.sleep(0.25)
    watch.stop()


def _has_something(url: str) -> bool:
    try:
        return bool(_ask(f"{url}/summary?site={SITE}")["count"])
    except OSError:
        return False


def _ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        return json.loads(answer.read())
