"""The page of figures and the command that writes it."""

import subprocess
import sys
from pathlib import Path

import pytest

from leak_assets_tests.benchmarks.__main__ import ALL
from leak_assets_tests.benchmarks.figures import Figure, write_part
from leak_assets_tests.benchmarks.smoke import COMPUTED, LIVE


def test_each_benchmark_is_tried() -> None:
    """In one of the files of smoke tests."""
    assert sorted([*LIVE, *COMPUTED]) == sorted(ALL)


@pytest.mark.slow
def test_the_command_writes_the_page(tmp_path: Path) -> None:
    """`make bench` in its smoke form, of one benchmark, ends well and writes its part."""
    page = tmp_path / "figures.md"
    result = subprocess.run(
        [sys.executable, "-m", "leak_assets_tests.benchmarks", "plant", "--smoke", "--out", page],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "readings judged" in page.read_text("utf-8")


def test_the_page_says_what_was_measured_when(tmp_path: Path) -> None:
    """Each part says commit, day and time, each figure its reach and its command."""
    page = tmp_path / "figures.md"
    rows = [
        Figure("Towns: 6", "precision of events", 0.412, reach="≥ 0.8"),
        Figure("Towns: 6", "alarms", "3 of 12", command="python -m x"),
        Figure("Speed", "years", 1234.5, "s"),
        Figure("Speed", "not measured", None),
    ]
    write_part("towns", rows, 12.3, page, order=["speed", "towns"])
    lines = page.read_text("utf-8").splitlines()
    assert any(
        line.startswith("Measured on 20") and "at commit" in line and line.endswith("in 12 s.")
        for line in lines
    )
    assert "| precision of events | 0.412 | ≥ 0.8 | `make bench` |" in lines
    assert "| alarms | 3 of 12 |  | `python -m x` |" in lines
    assert "| years | 1,234 s |  | `make bench` |" in lines
    assert "| not measured | – |  | `make bench` |" in lines
    assert [line for line in lines if line.startswith("## ")] == ["## Towns: 6", "## Speed"]


def test_a_benchmark_alone_leaves_the_others_figures(tmp_path: Path) -> None:
    """Its part is replaced in its place; a part of no benchmark goes."""
    page = tmp_path / "figures.md"
    for order, name, value in (
        (["gone", "a", "b"], "gone", 1),
        (["gone", "a", "b"], "b", 2),
        (["gone", "a", "b"], "a", 3),
        (["a", "b"], "b", 4),
    ):
        write_part(name, [Figure(name, "value", value)], 1.0, page, order=order)
    lines = page.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("| value")] == [
        "| value | 3 |  | `make bench` |",
        "| value | 4 |  | `make bench` |",
    ]
