"""Signatures from the network's equations against EPANET's own solution with each leak."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wntr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leak_assets.hydraulics.signatures.signatures import (
    Signatures,
    epanet_signatures,
    signatures_of_sizes,
)
from leak_assets.hydraulics.signatures.table import leak_sizes_m3_per_s
from leak_assets.settings import Settings
from leak_assets.sites import (
    Network,
    SensorLayout,
    candidate_pipes,
    layout_from_headers,
    load_layout,
    register,
)

MOST_ERROR = 0.03


def both(
    network: Network,
    layout: SensorLayout,
    pipes: Sequence[str],
    hours: Sequence[int],
    *sizes: float,
) -> tuple[tuple[Signatures, ...], tuple[Signatures, ...]]:
    """Return the signatures of sizes by the equations and by EPANET."""
    ours = signatures_of_sizes(network, layout, pipes, hours=hours, sizes_m3_per_s=sizes)
    theirs = epanet_signatures(network, layout, pipes, hours=hours, sizes_m3_per_s=sizes)
    return ours, theirs


def largest_error(ours: Sequence[Signatures], theirs: Sequence[Signatures]) -> float:
    """Return the largest error of pressures as a share of the signature's norm."""
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        pressures = [i for i, name in enumerate(one.sensors) if name.startswith("pressure/")]
        expected = other.response[..., pressures]
        norm = np.linalg.norm(expected, axis=-1)
        error = np.linalg.norm(one.response[..., pressures] - expected, axis=-1)
        # Below a millimeter EPANET's own steady states are no reference.
        known = norm > 1e-3 / 0.001
        worst = max(worst, float((error[known] / norm[known]).max(initial=0.0)))
    return worst


def test_hanoi(hanoi: Network) -> None:
    """All pipes and sizes within 3 %, none by EPANET; the only source gives what leaks."""
    layout = load_layout(hanoi)
    sizes = leak_sizes_m3_per_s(hanoi)
    ours, theirs = both(hanoi, layout, candidate_pipes(hanoi), (0,), *sizes)
    assert largest_error(ours, theirs) < MOST_ERROR
    assert [one.by_epanet for one in ours] == [0, 0, 0]
    source = ours[0].sensors.index("flow/1")
    for one in ours:
        explained = one.spread[one.zone]
        np.testing.assert_allclose((one.response + explained)[..., source], 1.0, atol=2e-3)


def test_ltown_at_night(ltown: Network) -> None:
    """Pipes hardly flow at 3 o'clock, where a tangent is worth least: still within 3 %."""
    pipes = candidate_pipes(ltown)[3::60]
    ours, theirs = both(ltown, load_layout(ltown), pipes, (3,), *leak_sizes_m3_per_s(ltown))
    assert largest_error(ours, theirs) < MOST_ERROR
    assert sum(one.by_epanet for one in ours) == 0


def zoned(path: Path, **changes: Any) -> Path:
    """Write a model: a pump feeds a tank, from which a valve feeds a looped zone of five nodes."""
    model = wntr.network.WaterNetworkModel()
    model.options.hydraulic.headloss = changes.get("headloss", "H-W")
    rough = {"H-W": 120.0, "D-W": 0.1e-3, "C-M": 0.012}[model.options.hydraulic.headloss]
    model.add_reservoir("r", base_head=20.0)
    model.add_tank("t", elevation=70.0, init_level=3.0, min_level=0.5, max_level=6.0, diameter=20)
    model.add_curve("c", "HEAD", [(0.05, 60.0)])
    model.add_junction("p", base_demand=0.0, elevation=10.0)
    model.add_junction("top", base_demand=0.003, elevation=15.0)
    model.add_pump("pump", "r", "p", "POWER" if "power" in changes else "HEAD",
                   changes.get("power", "c"))  # fmt: skip
    model.add_pipe("up", "p", "t", 400, 0.25, rough, minor_loss=2.0)
    model.add_pipe("down", "t", "top", 300, 0.25, rough)
    for name, elevation in zip("abcde", (20, 22, 18, 25, 24), strict=True):
        model.add_junction(name, base_demand=0.004, elevation=elevation)
    kind, setting = changes.get("valve", ("PRV", 35.0))
    model.add_valve("v", "top", "a", 0.2, kind, changes.get("minor", 1.0), setting)
    for name, length in {"ab": 400, "bc": 300, "cd": 500, "da": 350, "be": 200, "ed": 300}.items():
        model.add_pipe(name, *name, length, 0.12, rough)
    if "emitter" in changes:
        model.get_node("c").emitter_coefficient = changes["emitter"]
    if "second_way" in changes:
        model.add_pipe("cv", "top", "e", 900, 0.1, rough, check_valve=True)
    wntr.network.write_inpfile(model, str(path), units="LPS")
    return path


def registered(path: Path, home: Path) -> Network:
    """Return a model file as a network of a home."""
    return register(path, Settings(LEAK_ASSETS_HOME=home))


SENSORS = {"pressure": ("top", "b", "d", "e"), "flow": ("v", "down")}
PIPES = ("ab", "cd", "ed", "down")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"headloss": "D-W", "minor": 0.0, "valve": ("PRV", 80.0)},
        {"headloss": "C-M", "power": 30.0, "emitter": 0.0005},
        {"valve": ("FCV", 0.03)},
        {"valve": ("TCV", 40.0), "second_way": True},
        {"valve": ("PSV", 57.7), "second_way": True},
    ],
    ids=["active-prv", "open-prv", "emitter", "open-fcv", "tcv-check-valve", "active-psv"],
)
def test_elements(changes: dict[str, Any], tmp_path: Path) -> None:
    """Pumps, tanks, valves, emitters and the other formulas of head loss: within 3 %, by us."""
    network = registered(zoned(tmp_path / "zoned.inp", **changes), tmp_path / "home")
    layout = layout_from_headers(network, SENSORS)
    ours, theirs = both(network, layout, PIPES, (0,), 0.0005, 0.001)
    assert largest_error(ours, theirs) < MOST_ERROR
    assert [one.by_epanet for one in ours] == [0, 0]
    flows = [one.sensors.index("flow/v") for one in ours]
    for one, other, flow in zip(ours, theirs, flows, strict=True):
        np.testing.assert_allclose(one.response[..., flow], other.response[..., flow], atol=5e-3)


@pytest.mark.parametrize(
    ("changes", "size"),
    [({"valve": ("FCV", 0.021)}, 0.004), ({"valve": ("PRV", 51.8)}, 0.03)],
    ids=["fcv-starts-to-hold", "prv-lets-go"],
)
def test_a_valve_that_changes_its_status_is_left_to_epanet(
    changes: dict[str, Any], size: float, tmp_path: Path
) -> None:
    """The leak makes the valve act otherwise than without: EPANET says what that does."""
    network = registered(zoned(tmp_path / "zoned.inp", **changes), tmp_path / "home")
    layout = layout_from_headers(network, {"pressure": ("top", "b", "d", "e")})
    (ours,), (theirs,) = both(network, layout, PIPES, (0,), size)
    assert ours.by_epanet > 0
    assert largest_error([ours], [theirs]) < MOST_ERROR


def test_an_unknown_element_is_left_to_epanet(tmp_path: Path) -> None:
    """A valve that breaks pressure is not in the equations: all is EPANET's."""
    path = zoned(tmp_path / "zoned.inp", valve=("PBV", 12.0))
    network = registered(path, tmp_path / "home")
    layout = layout_from_headers(network, {"pressure": ("top", "b", "d")})
    (ours,), (theirs,) = both(network, layout, PIPES, (0, 1), 0.001)
    assert ours.by_epanet == 2 * (len(PIPES) + ours.spread.shape[0])
    np.testing.assert_allclose(ours.response, theirs.response, atol=0.5)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    diameters=st.lists(st.floats(0.08, 0.4), min_size=17, max_size=17),
    demands=st.lists(st.floats(0.0, 0.01), min_size=9, max_size=9),
    share=st.floats(0.01, 0.15),
)
def test_any_grid(
    diameters: list[float], demands: list[float], share: float, tmp_path_factory: Any
) -> None:
    """Grids of nine nodes and two reservoirs: within 3 % of EPANET, and mass is kept."""
    folder = tmp_path_factory.mktemp("grid")
    model = wntr.network.WaterNetworkModel()
    model.add_reservoir("r1", base_head=60.0)
    model.add_reservoir("r2", base_head=58.0)
    width = iter(diameters)
    for i in range(9):
        model.add_junction(f"n{i}", base_demand=demands[i] + 0.0005, elevation=5.0)
    for i in range(9):
        if i % 3 < 2:
            model.add_pipe(f"h{i}", f"n{i}", f"n{i + 1}", 300, next(width), 110)
        if i < 6:
            model.add_pipe(f"v{i}", f"n{i}", f"n{i + 3}", 250, next(width), 110)
    model.add_pipe("in1", "r1", "n0", 200, 0.4, 110)
    model.add_pipe("in2", "r2", "n8", 200, 0.4, 110)
    wntr.network.write_inpfile(model, str(folder / "grid.inp"), units="LPS")
    network = registered(folder / "grid.inp", folder / "home")
    layout = layout_from_headers(network, {"pressure": ("n1", "n4", "n6"), "flow": ("in1", "in2")})
    size = share * (sum(demands) + 0.0045)
    (ours,), (theirs,) = both(network, layout, ("h0", "h3", "v1", "v5"), (0,), size)
    assert largest_error([ours], [theirs]) < MOST_ERROR
    inflow = (ours.response + ours.spread[ours.zone])[..., -2:].sum(axis=-1)
    np.testing.assert_allclose(inflow, 1.0, atol=0.02)
