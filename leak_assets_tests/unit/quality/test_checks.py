"""Cheap checks: each finds its fault, says how bad it is and shows the rows."""

import json

import polars as pl
import pytest

from leak_assets.quality.checks import CHECKS, run_checks
from leak_assets.sites.contract import Contract

FIRST = pl.int_range(pl.len()) == 0


def changed(frame: pl.DataFrame, column: str, value: object) -> pl.DataFrame:
    dtype = frame.schema[column]
    return frame.with_columns(
        pl.when(FIRST).then(pl.lit(value, dtype)).otherwise(column).alias(column)
    )


def test_good_readings_pass(readings: pl.DataFrame, contract: Contract) -> None:
    """Good readings pass every check."""
    outcomes = run_checks(readings, contract)
    assert list(outcomes) == list(CHECKS)
    assert all(outcome.passed for outcome in outcomes.values())


@pytest.mark.parametrize(
    ("column", "value", "check"),
    [
        ("value_si", 5000.0, "range"),
        ("value_si", None, "contract"),
        ("quantity", "heat", "range"),
        ("flags", 2, "estimates_masked"),
    ],
)
def test_fault_is_found(
    readings: pl.DataFrame, contract: Contract, column: str, value: object, check: str
) -> None:
    """A fault in one row fails its check as an error, with a sample that JSON can hold."""
    outcome = run_checks(changed(readings, column, value), contract)[check]
    assert not outcome.passed
    assert outcome.severity == "ERROR"
    assert outcome.sample[0]["ts_utc"] == "2019-03-04T00:00:00+00:00"
    json.dumps([outcome.sample, outcome.metadata])


def test_doubled_missing_and_off_grid_rows_are_found(
    readings: pl.DataFrame, contract: Contract
) -> None:
    """Key, completeness and grid are checked."""
    doubled = run_checks(pl.concat([readings, readings.head(1)]), contract)
    assert not doubled["unique_key"].passed
    short = run_checks(readings.filter(~FIRST), contract)
    assert not short["row_count"].passed
    shifted = readings.with_columns(pl.col("ts_utc").dt.offset_by("7s"))
    assert not run_checks(shifted, contract)["cadence"].passed
    assert not run_checks(readings.clear(), contract)["row_count"].passed


def test_many_missing_values_are_a_warning(readings: pl.DataFrame, contract: Contract) -> None:
    """Too many missing values warn and name the worst sensors, but do not block."""
    is_silent = pl.col("sensor_id") == "21"
    gappy = readings.with_columns(
        pl.when(is_silent).then(None).otherwise("value_si").alias("value_si"),
        pl.when(is_silent).then(0).otherwise("mask").cast(pl.Int8).alias("mask"),
    )
    outcome = run_checks(gappy, contract)["missing_share"]
    assert (outcome.passed, outcome.severity) == (False, "WARN")
    assert outcome.sample == [{"quantity": "pressure", "sensor_id": "21", "missing_share": 1.0}]


def test_a_changed_type_breaks_the_contract(readings: pl.DataFrame, contract: Contract) -> None:
    """VAL1: an error that blocks, named with both types; the others do not stumble over it."""
    outcomes = run_checks(readings.with_columns(pl.col("value_si").cast(pl.Float32)), contract)
    assert list(outcomes) == ["contract"]
    assert (outcomes["contract"].passed, outcomes["contract"].severity) == (False, "ERROR")
    for needed in ("value_si", "Float64", "Float32"):
        assert needed in outcomes["contract"].message


def test_malformed_frame_gives_the_cause_only(readings: pl.DataFrame, contract: Contract) -> None:
    """With a column missing, the contract's check tells it and the others do not stumble."""
    outcomes = run_checks(readings.drop("mask"), contract)
    assert list(outcomes) == ["contract"]
    assert "column `mask`" in outcomes["contract"].message
