"""Baselines on a month of a town like Hanoi: what they see, and that they look at no future."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from leak_assets.benchmark.baselines.every import BASELINES, in_period
from leak_assets.benchmark.baselines.interpolation import kriging_weights
from leak_assets.benchmark.baselines.town_data import TownData, by_day
from leak_assets.benchmark.submission import Report
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.signatures.signatures import signatures
from leak_assets.hydraulics.signatures.table import signature_rows
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town
from leak_assets.sites import Network, candidate_pipes
from leak_assets.sites.layout import load_layout

START = datetime(2019, 1, 7, tzinfo=UTC)
DAYS, BURST_DAY = 28, 16
SIZE_M3_PER_S = 0.2
WITH_DATA = ["night-flow", "lila", "interpolation", "nearest-sensor", "forest"]


@pytest.fixture(scope="module")
def town(hanoi: Network) -> TownData:
    """Return four weeks of a town in which pipe 10 bursts on the seventeenth day."""
    layout = load_layout(hanoi)
    run = run_scenario(
        hanoi,
        layout,
        start_at=START,
        duration_s=DAYS * 86400 - 300,
        town=Town.draw(hanoi, 3),
        leaks=(Leak("10", START + timedelta(days=BURST_DAY, hours=5), 0.3),),
        seed=3,
    )
    found = signatures(
        hanoi, layout, candidate_pipes(hanoi), hours=(3, 15), leak_m3_per_s=SIZE_M3_PER_S
    )
    return TownData.of(
        hanoi, layout, run.wide(), signature_rows(hanoi.name, [SIZE_M3_PER_S], [found])
    )


def test_town_has_what_baselines_need(town: TownData) -> None:
    """Whole days, a zone with its flow, pipes at sensors, and effects that lower pressures."""
    assert (town.days, town.first_day) == (DAYS, date(2019, 1, 7))
    assert town.pressure_m.shape == (DAYS * 48, len(town.sensors))
    assert np.isfinite(town.flow_m3_per_h).mean() > 0.9
    for sensor, pipe in zip(town.sensors, town.sensor_pipes, strict=True):
        assert sensor in town.ends[pipe]
    assert (town.effect_m <= 1e-6).all()
    assert town.end_of(0) == START + timedelta(days=1)
    assert town.middle_of(0) in town.pipes


@pytest.mark.parametrize("name", list(BASELINES))
def test_nothing_later_changes_what_was_reported(name: str, town: TownData) -> None:
    """The data cut after any day gives the reports until then, to the minute and the pipe."""
    whole = BASELINES[name].reports(town)
    assert whole == sorted(whole)
    for days in (7, 11, BURST_DAY + 1, 23):
        cut = BASELINES[name].reports(town.until(days))
        assert cut == [one for one in whole if one.start_at <= town.end_of(days - 1)]


@pytest.mark.parametrize("name", WITH_DATA)
def test_a_burst_is_reported(name: str, town: TownData) -> None:
    """A burst of a fifth of the city's water is told within five days."""
    burst = START + timedelta(days=BURST_DAY)
    when = [one.start_at - burst for one in BASELINES[name].reports(town)]
    assert any(timedelta() < delay <= timedelta(days=5) for delay in when)


@pytest.mark.parametrize("name", WITH_DATA)
def test_missing_readings_are_no_leak(name: str, town: TownData) -> None:
    """A town whose sensors are silent from a day on reports nothing after it."""
    silent = town.until(14)
    silent.pressure_m[10 * 48 :] = np.nan
    silent.flow_m3_per_h[10 * 48 :] = np.nan
    reports = BASELINES[name].reports(silent)
    assert not [one for one in reports if one.start_at > silent.end_of(10)]


def test_kriging_is_exact_at_sensors_but_for_noise(town: TownData) -> None:
    """At a sensor's pipe the sensor itself counts most; far away nothing does."""
    weights = kriging_weights(town)
    at_sensors = weights[town.sensor_pipes]
    assert (at_sensors.argmax(axis=1) == np.arange(len(town.sensors))).all()
    assert np.abs(weights).max() < 2


def test_days_with_little_data_have_no_mean() -> None:
    """Fewer than half of the half-hours are no day."""
    values = np.ones((96, 1))
    values[48:73] = np.nan
    assert np.isfinite(by_day(values)[:, 0]).tolist() == [True, False]


def test_what_stands_is_reported_when_the_period_begins(town: TownData) -> None:
    """Reports of the history stand unless their pipe was repaired; each pipe once."""
    begin = START + timedelta(days=10)
    reports = [
        Report(START + timedelta(days=2), "1"),
        Report(START + timedelta(days=3), "20"),
        Report(START + timedelta(days=4), "20"),
        Report(begin + timedelta(days=1), "5"),
        Report(begin + timedelta(days=9), "6"),
    ]
    repairs = [("1", START + timedelta(days=5)), ("20", START + timedelta(days=1))]
    found = in_period(reports, repairs, town.network, begin, begin + timedelta(days=7))
    assert found == [Report(begin, "20"), Report(begin + timedelta(days=1), "5")]
