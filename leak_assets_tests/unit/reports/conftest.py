"""A line of four pipes with two incidents, as tables, for pictures and pages."""

import polars as pl
import pytest

from leak_assets_tests.towns import line_town


@pytest.fixture
def small_town() -> dict[str, pl.DataFrame]:
    """Two days with one closed and one open incident."""
    return line_town()
