"""The Great Expectations suite: what blocks, what warns, what crashed, and the page."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from leak_assets.quality.great_expectations_suite import validate_with_gx
from leak_assets.sites.contract import Contract

AT_7 = pl.int_range(pl.len()) == 7


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Return where the page goes, in a folder that does not exist yet."""
    return tmp_path / "reports" / "hanoi" / "2019-03-04.html"


def test_good_readings_pass(readings: pl.DataFrame, contract: Contract, page: Path) -> None:
    """Good readings meet every expectation."""
    outcome = validate_with_gx(readings, contract, page=page)
    assert outcome.passed
    assert outcome.statistics["successful"] == outcome.statistics["evaluated"] > 20
    assert outcome.statistics["rows"] == readings.height


def test_failing_row_blocks_and_is_shown(
    readings: pl.DataFrame, contract: Contract, page: Path
) -> None:
    """An impossible value fails its expectation, with the row in the result and on the page."""
    bad = readings.with_columns(pl.when(AT_7).then(5000.0).otherwise("value_si").alias("value_si"))
    row = bad.row(7, named=True)
    outcome = validate_with_gx(bad, contract, page=page, title="hanoi 2019-03-04")
    assert not outcome.passed
    [failure] = outcome.failures
    assert failure.name == f"range_{row['quantity']}"
    assert failure.crash == ""
    assert failure.sample == [
        {
            "value_si": 5000.0,
            "sensor_id": row["sensor_id"],
            "quantity": row["quantity"],
            "ts_utc": row["ts_utc"].isoformat(),
        }
    ]
    json.dumps(failure.sample)
    html = page.read_text()
    assert "hanoi 2019-03-04" in html
    assert failure.name in html
    assert "5000.0" in html
    assert row["ts_utc"].isoformat() in html


def test_page_needs_no_network(readings: pl.DataFrame, contract: Contract, page: Path) -> None:
    """The page has no script and refers to nothing outside itself."""
    validate_with_gx(readings, contract, page=page)
    html = page.read_text()
    assert not re.search(r"https?://|<script|<link|<img|@import|url\(", html)
    assert [p.name for p in page.parent.iterdir()] == [page.name]


def test_warning_does_not_block(readings: pl.DataFrame, contract: Contract, page: Path) -> None:
    """Too many missing values are a warning: shown, not blocking."""
    gappy = readings.with_columns(
        pl.lit(None, pl.Float64).alias("value_si"), pl.lit(0, pl.Int8).alias("mask")
    )
    outcome = validate_with_gx(gappy, contract, page=page)
    assert outcome.passed
    assert [w.name for w in outcome.warnings] == ["missing_share"]
    assert outcome.statistics["warned"] == 1


def test_crashed_expectation_is_told_apart(
    readings: pl.DataFrame, contract: Contract, page: Path
) -> None:
    """Without its column an expectation crashes: it blocks, and is not told as bad data."""
    outcome = validate_with_gx(readings.drop("mask"), contract, page=page)
    assert not outcome.passed
    crashed = [f for f in outcome.failures if f.crash]
    assert outcome.statistics["crashed"] == len(crashed) > 0
    assert "could not be evaluated" in crashed[0].message
    assert "columns" in {f.name for f in outcome.failures if not f.crash}


def test_changed_type_blocks(readings: pl.DataFrame, contract: Contract, page: Path) -> None:
    """Readings with value_si as integers fail the suite on the type."""
    whole = readings.with_columns(pl.col("value_si").cast(pl.Int64))
    outcome = validate_with_gx(whole, contract, page=page)
    assert [f.name for f in outcome.failures] == ["type_value_si"]


def test_text_from_a_file_cannot_become_markup(
    readings: pl.DataFrame, contract: Contract, page: Path
) -> None:
    """Names in the data are escaped on the page."""
    bad = readings.with_columns(pl.lit("<b>x</b>").alias("quantity"))
    validate_with_gx(bad, contract, page=page)
    assert "<b>x</b>" not in page.read_text()


def test_readings_of_no_sensor_block(
    readings: pl.DataFrame, contract: Contract, page: Path
) -> None:
    """An empty day does not pass."""
    outcome = validate_with_gx(readings.clear(), contract, page=page)
    assert "row_count" in {f.name for f in outcome.failures}
