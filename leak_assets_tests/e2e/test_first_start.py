"""A first start from the wheel: the demo, the demo again, then the user interface beside it.

The package is built and installed as a user would get it; only the libraries that it depends on
are taken from the environment of the tests.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leak_assets_tests.dev_server import running_dev, wait_for

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
