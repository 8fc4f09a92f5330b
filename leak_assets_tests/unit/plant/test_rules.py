"""The rules: exact limits, and the same anomalies however readings are cut."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.errors import InputError
from leak_assets.plant.profile import load_profile, packaged_profiles, parse_profile
from leak_assets.plant.rules import ORDER, PlantState, judge
from leak_assets.plant.simulator.simulator import simulate_plant
from leak_assets.plant.state import state_as_row, state_of_row
from leak_assets.units import si_factor

START = datetime(2025, 5, 28, tzinfo=UTC)
STRICT, UPPER = load_profile("wtf_strict"), load_profile("wtf_upper")


def frame(*rows: tuple[float, str, float], sensor: str = "wtf-pipe-1") -> pl.DataFrame:
    """Return readings of a sensor: seconds after the start, parameter, value."""
    return pl.DataFrame(
        {
            "sensor_id": [sensor] * len(rows),
            "parameter": [parameter for _, parameter, _ in rows],
            "ts_utc": [START + timedelta(seconds=at) for at, _, _ in rows],
            "value": [value for _, _, value in rows],
        },
        schema_overrides={"ts_utc": pl.Datetime("us", "UTC")},
    ).sort(ORDER)


def found(readings: pl.DataFrame, **options: object) -> list[tuple[str, str | None]]:
    """Return type and parameter of the anomalies by the strict profile."""
    judged = judge(readings, STRICT, **options)  # type: ignore[arg-type]
    return list(judged.anomalies.select("type", "parameter").iter_rows())


@pytest.mark.parametrize(
    ("profile", "parameter", "low", "high"),
    [
        ("wtf_strict", "temperature", 5.0, 40.0),
        ("wtf_strict", "pressure", 0.5, 4.0),
        ("wtf_strict", "flow", 10.0, 120.0),
        ("wtf_upper", "temperature", None, 45.0),
        ("wtf_upper", "pressure", None, 4.0),
        ("wtf_upper", "flow", None, 120.0),
    ],
)
def test_a_reading_at_a_spike_limit_is_none(
    profile: str, parameter: str, low: float | None, high: float
) -> None:
    """VAL9: strictly beyond fires, exactly at the limit does not; without a limit nothing does."""
    rules = load_profile(profile)

    def spikes(value: float) -> int:
        judged = judge(frame((0.0, parameter, value)), rules)
        return judged.anomalies.filter(type="spike").height

    assert spikes(high) == 0
    assert spikes(high + 0.1) == 1
    if low is None:
        assert spikes(-1000.0) == 0
    else:
        assert spikes(low) == 0
        assert spikes(low - 0.1) == 1


@pytest.mark.parametrize(
    ("profile", "parameter", "low", "high"),
    [
        ("wtf_strict", "temperature", 10.0, 35.0),
        ("wtf_strict", "pressure", 1.0, 3.0),
        ("wtf_strict", "flow", 20.0, 100.0),
        ("wtf_upper", "temperature", None, 38.0),
        ("wtf_upper", "pressure", None, 3.5),
        ("wtf_upper", "flow", None, 110.0),
    ],
)
def test_drift_limits_of_both_profiles(
    profile: str, parameter: str, low: float | None, high: float
) -> None:
    """Sixteen seconds beyond the limit are a drift, at the limit they are not."""
    rules = load_profile(profile)

    def drifts(value: float) -> int:
        rows = [(at, parameter, value) for at in (0.0, 4.0, 8.0, 12.0, 16.0)]
        return judge(frame(*rows), rules).anomalies.filter(type="drift").height

    assert drifts(high) == 0
    assert drifts(high + 0.1) == 1
    if low is not None:
        assert drifts(low) == 0
        assert drifts(low - 0.1) == 1


@pytest.mark.parametrize(("seconds", "fires"), [(15.0, False), (15.1, True)])
def test_a_drift_lasts_longer_than_fifteen_seconds(seconds: float, fires: bool) -> None:
    """VAL9: 15.0 s no, 15.1 s yes."""
    rows = [(at, "pressure", 0.8) for at in (0.0, 5.0, 10.0, seconds)]
    assert (("drift", "pressure") in found(frame(*rows))) is fires


@pytest.mark.parametrize(("seconds", "fires"), [(10.0, False), (10.1, True)])
def test_a_dropout_is_longer_than_ten_seconds(seconds: float, fires: bool) -> None:
    """VAL9: 10.0 s no, 10.1 s yes; on return and by the clock alike."""
    back = frame((0.0, "flow", 50.0), (seconds, "flow", 50.0))
    assert (("dropout", None) in found(back)) is fires
    silent = found(frame((0.0, "flow", 50.0)), now=START + timedelta(seconds=seconds))
    assert (("dropout", None) in silent) is fires


def test_the_drift_of_the_example() -> None:
    """0.8 bar for 16 s: one drift with its begin, duration, reading and words."""
    rows = [(at, "pressure", 0.8) for at in (0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0)]
    (drift,) = judge(frame(*rows), STRICT).anomalies.iter_rows(named=True)
    assert drift["started_at"] == START
    assert drift["ts_utc"] == START + timedelta(seconds=16)
    assert (drift["duration_s"], drift["value"]) == (16.0, 0.8)
    assert drift["message"] == "Pressure drift detected: 0.8 is below threshold 1.0 for 16.0 s"


def test_the_messages_of_the_examples() -> None:
    """The long form begins with the short one."""
    readings = frame((0.0, "temperature", 45.2), (0.0, "pressure", 4.5))
    told = judge(readings, STRICT).anomalies.get_column("message").to_list()
    assert "Temperature spike detected: 45.2 exceeds threshold 40.0" in told
    assert "Pressure spike detected: 4.5 exceeds threshold 4.0" in told


def test_other_side_or_silence_begins_a_new_stretch() -> None:
    """Nobody saw the readings of a silence; above is not below."""
    silence = [(at, "flow", 15.0) for at in (0.0, 4.0, 15.0, 19.0)]
    assert found(frame(*silence)) == [("dropout", None)]
    sides = [(0.0, "flow", 15.0), (8.0, "flow", 105.0), (16.0, "flow", 15.0), (24.0, "flow", 105.0)]
    assert found(frame(*sides)) == []


def test_one_dropout_is_told_while_it_lasts_and_when_it_ends_under_one_name() -> None:
    """By the clock once, with its seconds on return."""
    first = judge(frame((0.0, "flow", 50.0)), STRICT, now=START + timedelta(seconds=12))
    (lasting,) = first.anomalies.iter_rows(named=True)
    assert lasting["duration_s"] is None
    again = judge(frame(), STRICT, first.state, now=START + timedelta(seconds=14))
    assert again.anomalies.is_empty()
    (ended,) = judge(frame((32.0, "flow", 50.0)), STRICT, again.state).anomalies.iter_rows(
        named=True
    )
    assert ended["anomaly_id"] == lasting["anomaly_id"]
    assert (ended["duration_s"], ended["parameter"]) == (32.0, None)
    assert ended["message"] == "Dropout detected: no data for 32.0 s (limit 10 s)"


def test_one_silent_parameter_is_no_dropout_of_the_sensor() -> None:
    """Dropouts have no parameter."""
    rows = [(float(at), "flow", 50.0) for at in range(0, 40, 4)]
    assert found(frame(*rows, (0.0, "pressure", 2.0), (36.0, "pressure", 2.0))) == []


def test_late_readings_are_counted_and_change_nothing() -> None:
    """The day's run, which sorts, judges them."""
    first = judge(frame((10.0, "flow", 50.0)), STRICT)
    late = judge(frame((4.0, "flow", 500.0), (12.0, "flow", 50.0)), STRICT, first.state)
    assert (late.late, late.anomalies.height) == (1, 0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 50),
    cuts=st.lists(st.integers(1, 899), max_size=12),
    restart=st.booleans(),
)
def test_streaming_and_batch_give_the_same_anomalies(
    seed: int, cuts: list[int], restart: bool
) -> None:
    """A drift that spans batches is one drift; a restart loses nothing."""
    run = simulate_plant(900, seed, sensors=2, anomaly_rate_per_h=40.0)
    readings = run.readings.select(ORDER[0], ORDER[1], ORDER[2], "value").sort(ORDER)
    whole = judge(readings, STRICT)
    state: PlantState | None = None
    parts = []
    edges = [0, *sorted(set(cuts)), 10**6]
    first_at = readings.get_column("ts_utc").min()
    assert isinstance(first_at, datetime)
    for begin, end in pairwise(edges):
        inside = pl.col("ts_utc").is_between(
            first_at + timedelta(seconds=begin), first_at + timedelta(seconds=end), closed="left"
        )
        judged = judge(readings.filter(inside), STRICT, state)
        parts.append(judged.anomalies)
        state = judged.state
        if restart:
            state = state_of_row(state_as_row(state, "works", START.date(), START))
    assert pl.concat(parts).sort("anomaly_id").equals(whole.anomalies.sort("anomaly_id"))
    assert state == whole.state


def test_simulated_anomalies_are_found() -> None:
    """Every labeled spike, drift and dropout of an hour, and none without."""
    quiet = simulate_plant(3600, 5, sensors=3, anomaly_rate_per_h=0.0)
    assert judge(quiet.readings.sort(ORDER), STRICT).anomalies.is_empty()
    run = simulate_plant(3600, 5, sensors=3, anomaly_rate_per_h=8.0)
    anomalies = judge(run.readings.sort(ORDER), STRICT).anomalies
    ended = run.labels.filter(pl.col("end_at") < run.readings.get_column("ts_utc").max())
    for label in ended.iter_rows(named=True):
        mine = anomalies.filter(
            pl.col("type") == label["kind"],
            pl.col("sensor_id") == label["sensor_id"],
            pl.col("ts_utc").is_between(label["start_at"], label["end_at"]),
        )
        assert not mine.is_empty(), label


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"spikes": {}}, "key `spikes` is unknown"),
        ({"spike_thresholds": {"flow": {"min": 5.0, "max": 1.0}}}, "min 5.0 must be below max 1.0"),
        ({"spike_thresholds": {"taste": {"max": 1.0}}}, "a parameter is one of"),
        ({"spike_thresholds": {"flow": {}}}, "neither `min` nor `max` is given"),
        ({"drift_thresholds": {"flow": {"max": 500.0}}}, "must lie inside the spike limits"),
        ({"drift_duration": 0}, "key `drift_duration`"),
        ({"dropout_s": float("nan")}, "key `dropout_s`"),
    ],
)
def test_profiles_that_cannot_be_used_are_refused(change: dict[str, object], problem: str) -> None:
    """Unknown keys and inverted limits are named."""
    content = STRICT.model_dump() | change
    with pytest.raises(InputError, match=problem):
        parse_profile(content, file="works.yaml")


def test_packaged_profiles() -> None:
    """Both come with the package; another name is refused."""
    assert packaged_profiles() == ("wtf_strict", "wtf_upper")
    assert UPPER.drift_duration == 15
    with pytest.raises(InputError, match="unknown rule profile 'wtf'"):
        load_profile("wtf")


def test_a_limit_in_another_unit_is_the_same_limit() -> None:
    """400 kPa are 4.0 bar and no spike: conversion must not push a reading over its limit."""
    bar = 400.0 * si_factor("pressure", "kPa") / si_factor("pressure", "bar")
    assert round(bar, 10) == 4.0


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"profil": "wtf_upper"}, "details.profil"),
        ({"profile": "wtf"}, "unknown rule profile 'wtf'"),
        ({"profile": {"name": "mine", "drift_durations": 3}}, "mine|thresholds|drift_durations"),
        ({"profile": ["wtf_strict"]}, "no mapping"),
    ],
)
def test_a_plant_is_checked_when_it_is_registered(
    tmp_path: Path, said: dict[str, object], problem: str
) -> None:
    """One line that names the key, exit code 2, and nothing is registered."""
    site = {
        "name": "works",
        "kind": "plant",
        "sensors": [{"quantity": "flow", "unit": "L/min", "ids": ["wtf-pipe-1"]}],
        "details": said,
    }
    (tmp_path / "works.yaml").write_text(yaml.safe_dump(site))
    result = CliRunner(env={"LEAK_ASSETS_HOME": str(tmp_path / "home")}).invoke(
        app, ["sites", "register", str(tmp_path / "works.yaml")]
    )
    assert isinstance(result.exception, InputError)
    assert re.search(problem, str(result.exception))
    assert not (tmp_path / "home" / "var" / "sites").exists()
