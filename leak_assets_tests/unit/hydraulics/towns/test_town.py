"""Towns that differ from the model, within their bounds and by seed."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from leak_assets.errors import InputError
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.supply_check import SERVICE_SHARE
from leak_assets.hydraulics.towns.town import Town, TownBounds, loop_pipes
from leak_assets.hydraulics.towns.town_model import true_model
from leak_assets.sites import load_layout


def test_nominal_town_is_the_model(net3) -> None:
    """Without differences every element is as in the file."""
    model, town_model = net3.water_network(), true_model(net3, Town.nominal(net3))
    for name, pipe in model.pipes():
        other = town_model.get_link(name)
        assert (pipe.length, pipe.diameter, pipe.roughness) == (
            other.length,
            other.diameter,
            other.roughness,
        )


def test_differences_stay_within_bounds(ltown) -> None:
    """Roughness, diameter, length, demand and set-points differ, none beyond its bound."""
    bounds = TownBounds(roughness=0.2, diameter=0.05, length=0.0, base_demand=0.15)
    town = Town.draw(ltown, 1, bounds)
    model, differs = ltown.water_network(), true_model(ltown, town)
    for what, bound in (("roughness", 0.2), ("diameter", 0.05), ("length", 0.0)):
        ratio = np.array(
            [getattr(differs.get_link(n), what) / getattr(p, what) for n, p in model.pipes()]
        )
        assert np.abs(ratio - 1).max() <= bound + 1e-12
        assert np.abs(ratio - 1).max() >= 0.9 * bound
    for name, valve in model.valves():
        difference = differs.get_link(name).initial_setting - valve.initial_setting
        assert 0 < abs(difference) <= bounds.prv_offset_m


def test_seed_decides(ltown) -> None:
    """The same seed gives the same town, another one another town."""
    assert Town.draw(ltown, 7) == Town.draw(ltown, 7)
    assert Town.draw(ltown, 7).roughness != Town.draw(ltown, 8).roughness


def test_daily_shape_stays_within_its_bound(ltown) -> None:
    """No hour of a demand pattern changes by more than the bound."""
    angle = np.linspace(0, 2 * np.pi, 289)
    for seed in range(5):
        for shape in Town.draw(ltown, seed).pattern_shape.values():
            log = sum(
                c * np.cos(w * angle) + s * np.sin(w * angle)
                for w, (c, s) in enumerate(shape, start=1)
            )
            assert np.abs(log).max() <= np.log(1.2) + 1e-12


def test_closed_valve_cuts_nothing_off(ltown) -> None:
    """Closed pipes are on loops: every junction still has a way to a source."""
    import networkx as nx

    for seed in range(3):
        town = Town.draw(ltown, seed, TownBounds(closed_valves=3))
        assert len(set(town.closed_pipes)) == 3
        model = ltown.water_network()
        graph = nx.Graph(
            (link.start_node_name, link.end_node_name)
            for name, link in model.links()
            if name not in town.closed_pipes
        )
        assert nx.is_connected(graph)
        assert set(graph) == set(model.node_name_list)


def test_closed_valve_leaves_everyone_with_pressure(hanoi) -> None:
    """No customer loses more than the share of pressure that would make him complain.

    On Hanoi ten of the sixteen loop pipes would; some leave half of the town without water.
    """
    closed = {Town.draw(hanoi, seed).closed_pipes for seed in range(12)}
    assert len(closed) > 2, "the draw has a choice"
    layout = load_layout(hanoi)
    midday = datetime(2019, 1, 1, 12, tzinfo=UTC)

    def pressures(town: Town) -> np.ndarray:
        run = run_scenario(hanoi, layout, start_at=midday, duration_s=0, town=town, record="all")
        series = run.everything["pressure"]
        customers = [k for k, name in enumerate(series.ids) if name in names]
        return series.values[0, customers]

    names = {name for name, junction in hanoi.water_network().junctions() if junction.base_demand}
    nominal = Town.nominal(hanoi)
    open_m = pressures(nominal)
    for pipes in closed:
        kept = pressures(replace(nominal, closed_pipes=pipes)) / open_m
        assert kept.min() >= SERVICE_SHARE - 1e-3, pipes
    assert (pressures(replace(nominal, closed_pipes=("34",))) / open_m).min() < 0.1


def test_tree_has_no_pipe_to_close(settings, model_path) -> None:
    """In a network without loops nothing is closed."""
    from leak_assets.sites import resolve

    model_path.write_text(
        "[JUNCTIONS]\n a 0 1\n b 0 1\n[RESERVOIRS]\n r 50\n[PIPES]\n p1 r a 100 300 100 0 Open\n"
        " p2 a b 100 300 100 0 Open\n[OPTIONS]\n Units LPS\n Headloss H-W\n[END]\n"
    )
    tree = resolve(model_path, settings)
    assert loop_pipes(tree.water_network()) == []
    assert Town.draw(tree, 1).closed_pipes == ()


def test_json_tells_every_uncertainty(ltown) -> None:
    """The town's row has bounds, seed, drawn values and the extent of each factor."""
    content = json.loads(Town.draw(ltown, 1).to_json())
    assert content["bounds"]["roughness"] == 0.10
    assert content["bounds"]["noise"]["node_cv"] == 0.4
    assert content["bounds"]["sensors"]["pressure_sd_m"] == 0.01
    assert content["seed"] == 1
    assert len(content["closed_pipes"]) == 1
    assert set(content["prv_offset_m"]) == {"PRV-1", "PRV-2", "PRV-3"}
    extent = content["extent"]["roughness"]
    assert 0.9 <= extent["min"] < 0.91
    assert extent["count"] == 905


def test_impossible_bounds_are_refused() -> None:
    """A bound of 100 % or more would make negative pipes."""
    with pytest.raises(InputError, match="roughness"):
        TownBounds(roughness=1.0)
    with pytest.raises(InputError, match="negative"):
        TownBounds(closed_valves=-1)
