"""`leak-assets dev` for tests and benchmarks: on a free port, stopped with all it started."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("leak-assets")


@contextmanager
def running_dev(
    folder: Path, environment: Mapping[str, str], program: Path = PROGRAM
) -> Iterator[str]:
    """Start `leak-assets dev` in a folder, its output in `dev.log` there; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "dev.log").open("w") as log:
        process = subprocess.Popen(
            [str(program), "dev", "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}"
        (folder / "dev.pid").write_text(str(process.pid))
        try:
            wait_for(lambda: _is_up(url), 300, lambda: _tail(folder, "no webserver"))
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def kill_dev(folder: Path) -> None:
    """Kill what `running_dev` started in a folder, with all its processes, in the middle of it."""
    os.killpg(int((folder / "dev.pid").read_text()), signal.SIGKILL)


def wait_for(
    condition: Callable[[], bool],
    seconds: float,
    otherwise: Callable[[], str],
    every_s: float = 0.2,
) -> float:
    """Wait until a condition holds and return how long it took."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise TimeoutError(otherwise())
        time.sleep(every_s)
    return time.monotonic() - started


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def _tail(folder: Path, problem: str) -> str:
    lines = (folder / "dev.log").read_text("utf-8").splitlines()
    return "\n".join([f"{problem}; {folder / 'dev.log'} ends with", *lines[-20:]])
