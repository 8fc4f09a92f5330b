"""`leak-assets dev` for the tests: real daemon, real webserver, stopped afterwards."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(sys.executable).with_name("leak-assets")


@pytest.fixture
def dagster_url(home: Path) -> Iterator[str]:
    """`leak-assets dev` on a free port; stopped with all its processes afterwards."""
    with running_dev(PROGRAM, os.environ | {"LEAK_ASSETS_HOME": str(home)}, home) as url:
        yield url


@contextmanager
def running_dev(program: Path, environment: dict[str, str], folder: Path) -> Iterator[str]:
    """Start `leak-assets dev` in a folder, its output in `dev.log` there; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "dev.log").open("w")
    process = subprocess.Popen(
        [str(program), "dev", "--port", str(port)],
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: is_up(url), 120, f"no webserver; {folder}/dev.log says why")
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


@pytest.fixture
def graphql() -> Callable[[str, str], dict[str, Any]]:
    """Return a function `(url, query) -> data` of the webserver's GraphQL."""

    def ask(url: str, query: str) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310
            f"{url}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return dict(json.load(answer)["data"])

    return ask
