"""The benchmarks of what is computed still run: smallest sizes, nothing timed."""

from pathlib import Path

import pytest

from leak_assets_tests.benchmarks.smoke import COMPUTED, page_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", COMPUTED)
def test_benchmarks_give_their_figures(name: str, tmp_path: Path) -> None:
    """In their smoke form they end well, with a page that has their topics."""
    page = page_of(name, tmp_path)
    assert [word for word in COMPUTED[name] if word not in page] == []
