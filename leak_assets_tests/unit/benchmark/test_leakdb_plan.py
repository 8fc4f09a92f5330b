"""LeakDB-like scenarios: what is drawn follows LeakDB's recipe, for any network."""

from datetime import timedelta

import numpy as np
import pytest

from leak_assets.benchmark.leakdb_plan import LeakdbPlan
from leak_assets.hydraulics.plan.events import base_demand_m3_per_h
from leak_assets.sites import Network, load_layout


@pytest.mark.parametrize(("name", "step_s"), [("hanoi", 1800), ("net1", 1800), ("ltown", 300)])
def test_a_scenario_is_drawn_as_leakdb_draws(
    name: str, step_s: int, request: pytest.FixtureRequest
) -> None:
    """One or two leaks that end, 2 to 20 cm against Hanoi's demand; parameters off by a fifth."""
    network: Network = request.getfixturevalue(name)
    layout = load_layout(network)
    plan = LeakdbPlan.of(network, evaluated_days=365)
    assert plan.step_s == step_s
    drawn = [plan.draw(network, layout, seed) for seed in range(6)]
    leaks = [leak for town in drawn for leak in town.leaks]
    assert {len(town.leaks) for town in drawn} == {1, 2}
    assert {leak.kind for leak in leaks} == {"abrupt", "incipient"}
    scale = (base_demand_m3_per_h(network.shared_model()) / 19_940) ** 0.5
    for leak in leaks:
        assert leak.diameter_m <= 0.2 * scale
        assert plan.evaluated_at < leak.start_at <= leak.peak <= leak.end_at < plan.end_at
        assert (leak.start_at - plan.start_at) % timedelta(minutes=30) == timedelta()
    off = {town.town.bounds.diameter for town in drawn} | {t.town.bounds.length for t in drawn}
    assert off <= {0.0, 0.05, 0.1, 0.15, 0.2}
    assert len(off) > 2
    assert not any(town.events or town.faults or town.town.closed_pipes for town in drawn)
    assert plan.draw(network, layout, 3) == drawn[3]


def test_a_model_without_patterns_gets_a_day(hanoi: Network) -> None:
    """What the model asks for is the day's peak; a leak-free scenario is the same town."""
    layout = load_layout(hanoi)
    plan = LeakdbPlan.of(hanoi, evaluated_days=30)
    drawn = plan.draw(hanoi, layout, 1)
    factor = np.array(list(drawn.town.base_demand.values()))
    assert factor.max() < 1
    assert "" in drawn.town.pattern_shape
