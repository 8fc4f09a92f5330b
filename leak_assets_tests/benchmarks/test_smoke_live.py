"""The benchmarks of what runs as processes still run: smallest sizes, nothing timed."""

import shutil
from pathlib import Path

import pytest

from leak_assets_tests.benchmarks.smoke import LIVE, page_of

pytestmark = pytest.mark.slow


def test_latency_gives_its_figures(trained: Path, tmp_path: Path) -> None:
    """From a dropped file to its last window, with the real daemon."""
    home = shutil.copytree(trained, tmp_path / "home")
    page = page_of("latency", tmp_path, home=home)
    assert [word for word in LIVE["latency"] if word not in page] == []


@pytest.mark.parametrize("name", [name for name in LIVE if name != "latency"])
def test_benchmarks_give_their_figures(name: str, tmp_path: Path) -> None:
    """In their smoke form they end well, with a page that has their topics."""
    page = page_of(name, tmp_path)
    assert [word for word in LIVE[name] if word not in page] == []
