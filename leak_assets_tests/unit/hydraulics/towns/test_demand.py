"""Demands: calendar, noise, chunks."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from leak_assets.hydraulics.towns.demand import DemandModel
from leak_assets.hydraulics.towns.town import DemandNoise, Town, TownBounds
from leak_assets.hydraulics.towns.town_model import true_model
from leak_assets.hydraulics.twin.nominal import Calendar, demand_shares


def _model(network, town: Town, junctions: list[str] | None = None) -> DemandModel:
    model = true_model(network, town)
    return DemandModel(network, model, town, junctions or list(model.junction_name_list))


def test_nominal_demand_is_base_times_pattern(ltown, monday) -> None:
    """Tuesday midnight is index 0 of L-Town's weekly patterns."""
    model = ltown.water_network()
    tuesday = monday + timedelta(days=1)
    demand = _model(ltown, Town.nominal(ltown), ["n2"]).stream(tuesday, 300, 0).chunk(3)
    base = model.get_node("n2").demand_timeseries_list[0].base_value
    pattern = model.get_pattern("P-Residential").multipliers[:3]
    assert demand[:, 0] == pytest.approx(base * pattern)


def test_hourly_patterns_hold_over_shorter_steps(net3, monday) -> None:
    """A pattern of one hour gives twelve equal steps of five minutes."""
    demand = _model(net3, Town.nominal(net3)).stream(monday, 300, 0).chunk(24)
    assert (demand[:12] == demand[0]).all()
    assert (demand[12] != demand[0]).any()


def test_pattern_without_place_in_the_calendar_starts_with_the_run(settings, monday) -> None:
    """Net2's 55 hours begin at each run's first midnight."""
    from leak_assets.sites import resolve

    net2 = resolve("net2", settings)
    demand = _model(net2, Town.nominal(net2))
    first = demand.stream(monday, 3600, 0).chunk(24)
    later = demand.stream(monday + timedelta(days=9), 3600, 0).chunk(24)
    assert np.array_equal(first, later)


def test_chunks_do_not_change_the_calendar_part(ltown, monday) -> None:
    """A day in two chunks is the day in one, as far as it is not random."""
    quiet = Town.draw(ltown, 2, TownBounds(noise=DemandNoise(0, 0, 0, 6, 0.01)))
    whole = _model(ltown, quiet).stream(monday, 300, 1).chunk(288)
    stream = _model(ltown, quiet).stream(monday, 300, 1)
    assert np.allclose(np.concatenate([stream.chunk(100), stream.chunk(188)]), whole)


def test_noise_has_the_stated_size(ltown, monday) -> None:
    """The mean of noisy demand is the quiet one; single meters scatter by their coefficient."""
    noise = DemandNoise(common_cv=0.0, node_cv=0.4, slow_cv=0.0, day_cv=0.0)
    exact = Town.nominal(ltown)
    noisy = Town(ltown.name, 1, TownBounds(noise=noise))
    junctions = ["n2", "n3", "n343"]
    quiet = _model(ltown, exact, junctions).stream(monday, 300, 3).chunk(2016)
    drawn = _model(ltown, noisy, junctions).stream(monday, 300, 3).chunk(2016)
    ratio = drawn / quiet
    assert (drawn > 0).all()
    assert ratio.mean(axis=0) == pytest.approx(1.0, abs=0.03)
    assert ratio.std(axis=0) == pytest.approx(0.4, abs=0.04)
    assert np.abs(np.corrcoef(ratio.T) - np.eye(3)).max() < 0.1


def test_common_noise_moves_all_meters(ltown, monday) -> None:
    """Common noise is the same factor for all meters of a pattern."""
    noise = DemandNoise(common_cv=0.067, node_cv=0.0, slow_cv=0.0, day_cv=0.0)
    town = Town(ltown.name, 1, TownBounds(noise=noise))
    drawn = _model(ltown, town, ["n2", "n3"]).stream(monday, 300, 3).chunk(288)
    share = drawn[:, 0] / drawn[:, 1]
    assert share == pytest.approx(share[0])
    assert np.std(np.diff(np.log(drawn[:, 0]))) == pytest.approx(0.067 * 2**0.5, rel=0.2)


def test_slow_noise_is_slow(ltown, monday) -> None:
    """Slow noise hardly changes in an hour and is another one after two days."""
    noise = DemandNoise(common_cv=0.0, node_cv=0.0, slow_cv=0.1, slow_hours=6, day_cv=0.0)
    town = Town(ltown.name, 1, TownBounds(noise=noise))
    model = ltown.water_network()
    junctions = [f"n{i}" for i in range(1, 300) if f"n{i}" in model.junction_name_list]
    base = _model(ltown, Town.nominal(ltown), junctions).stream(monday, 300, 3).chunk(600)
    drawn = _model(ltown, town, junctions).stream(monday, 300, 3).chunk(600)
    ok = base[0] > 0
    z = np.log(drawn[:, ok] / base[:, ok])
    assert z[0].std() == pytest.approx(0.1, rel=0.25)
    assert np.corrcoef(z[0], z[12])[0, 1] > 0.7
    assert abs(np.corrcoef(z[0], z[576])[0, 1]) < 0.25


@pytest.mark.parametrize("name", ["net2", "net3", "richmond-skeleton", "l-town"])
def test_scenarios_and_twin_agree_about_the_time_of_day(settings, name) -> None:
    """The twin's nominal demand at a time is what a nominal town asks for then."""
    from leak_assets.sites import resolve

    network = resolve(name, settings)
    model = network.water_network()
    start = datetime(2019, 1, 7, tzinfo=UTC)
    junctions = [n for n, j in model.junctions() if j.demand_timeseries_list][:40]
    asked = DemandModel(network, model, Town.nominal(network), junctions)
    hourly = asked.stream(start, 300, seed=0).chunk(289)[::12]
    at_s = int(start.timestamp()) + np.arange(25) * 3600
    calendar = Calendar(network, model)
    for column, junction in enumerate(junctions):
        shares = demand_shares(model, [junction])
        expected = sum(
            group.get(junction, 0.0) * calendar.means(pattern, at_s, 300)
            for pattern, group in shares.items()
        )
        assert np.allclose(hourly[:, column], expected, rtol=1e-9), junction


def test_coarse_steps_take_the_mean_of_fine_patterns(ltown) -> None:
    """An hour is the mean of its twelve 5-minute values."""
    model = ltown.water_network()
    calendar = Calendar(ltown, model)
    name = model.pattern_name_list[0]
    at_s = calendar.midnight_s + np.arange(24) * 3600
    fine = calendar.means(name, calendar.midnight_s + np.arange(288) * 300, 300)
    assert np.allclose(calendar.means(name, at_s, 3600), fine.reshape(24, 12).mean(axis=1))
