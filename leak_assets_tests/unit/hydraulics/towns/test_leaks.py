"""Leaks: their opening over time, their checks, and engines that would ignore them."""

from datetime import UTC, datetime, timedelta
from math import pi, sqrt

import numpy as np
import pytest

from leak_assets.errors import InputError
from leak_assets.hydraulics.towns.leaks import (
    Leak,
    LeakModelMismatch,
    check_leaks,
    guard_leak_model,
)

START = datetime(2019, 1, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_abrupt_leak_is_open_from_start_to_end() -> None:
    """All of the area is open from the step of the start, none from the step of the end."""
    opening = Leak("p", START + HOUR, 0.02, end_at=START + 2 * HOUR).opening(START, 300, 37)
    assert opening[:12].tolist() == [0.0] * 12
    assert opening[12:24].tolist() == [1.0] * 12
    assert opening[24:].tolist() == [0.0] * 13


def test_incipient_leak_grows_to_its_peak() -> None:
    """The diameter grows linearly: half of it is a quarter of the area."""
    leak = Leak("p", START + HOUR, 0.02, "incipient", START + 3 * HOUR, START + 4 * HOUR)
    opening = leak.opening(START, 300, 61)
    assert not opening[:12].any()
    assert opening[12] > 0
    assert (np.diff(opening[12:37]) > 0).all()
    assert opening[24] == pytest.approx((13 / 25) ** 2)
    assert opening[36:48].tolist() == [1.0] * 12
    assert not opening[48:].any()


def test_leak_that_began_before_the_run_is_open_at_once() -> None:
    """History counts: a leak from last year is at its peak in the first step."""
    leak = Leak("p", START - 100 * HOUR, 0.02, "incipient", START - HOUR)
    assert leak.opening(START, 300, 3).tolist() == [1.0, 1.0, 1.0]


def test_times_off_the_grid_take_effect_at_the_next_step() -> None:
    """A start at 01:02 is felt at 01:05, never before it."""
    leak = Leak("p", START + HOUR + timedelta(minutes=2), 0.02)
    assert leak.opening(START, 300, 15).tolist() == [0.0] * 13 + [1.0] * 2


def test_coefficient_is_torricelli() -> None:
    """C = Cd·A·sqrt(2g); another exponent gives the same flow at the reference pressure."""
    leak = Leak("p", START, 0.05)
    torricelli = 0.75 * pi * 0.05**2 / 4 * sqrt(2 * 9.81)
    assert leak.coefficient(0.5, 50) == pytest.approx(torricelli)
    assert leak.coefficient(1.5, 50) * 50**1.5 == pytest.approx(torricelli * 50**0.5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"end_at": START}, "not after its start"),
        ({"diameter_m": 0.0}, "diameter 0.0 m"),
        ({"kind": "slow"}, "unknown type 'slow'"),
        ({"kind": "incipient"}, "no peak time"),
        ({"kind": "incipient", "peak_at": START - HOUR}, "not between start and end"),
        (
            {"kind": "incipient", "peak_at": START + 3 * HOUR, "end_at": START + HOUR},
            "not between start and end",
        ),
        ({"discharge_coeff": 1.5}, "discharge coefficient 1.5"),
        ({"start_at": datetime(2019, 1, 7)}, "no time zone"),  # noqa: DTZ001
        ({"node_id": "n"}, "at a pipe or at a node"),
    ],
)
def test_impossible_leak_names_its_pipe(changes: dict, words: str) -> None:
    """Each impossible value is told with the pipe and a remedy."""
    with pytest.raises(InputError, match=words) as caught:
        Leak(**({"link_id": "p7", "start_at": START, "diameter_m": 0.02} | changes))
    assert "p7" in str(caught.value)


@pytest.mark.parametrize(
    ("leak", "words"),
    [
        (Leak("nope", START, 0.02), "nope: no such pipe"),
        (Leak("9", START, 0.02), "it is a pump"),
        (Leak("10", START, 1.0), "1000 mm is wider than the pipe"),
        (Leak(None, START, 0.02, node_id="2"), "no such junction"),
    ],
)
def test_leak_must_fit_the_network(net1, leak: Leak, words: str) -> None:
    """Unknown pipes, pumps, tanks and holes wider than the pipe are refused by name."""
    with pytest.raises(InputError, match=words):
        check_leaks(net1.water_network(), [leak])


def test_closed_pipe_cannot_leak(net3) -> None:
    """A pipe that is closed in the model is refused."""
    with pytest.raises(InputError, match="330: the pipe is closed"):
        check_leaks(net3.water_network(), [Leak("330", START, 0.02)])


def test_guard_refuses_leaks_the_engine_would_ignore(net1) -> None:
    """EPANET does not know add_leak(), WNTRSimulator does not know emitters."""
    model = net1.water_network()
    guard_leak_model(model, "epanet")
    guard_leak_model(model, "wntr")
    model.get_node("11").add_leak(model, area=1e-4, start_time=0)
    guard_leak_model(model, "wntr")
    with pytest.raises(LeakModelMismatch, match="node 11"):
        guard_leak_model(model, "epanet")
    model = net1.water_network()
    model.get_node("12").emitter_coefficient = 0.1
    guard_leak_model(model, "epanet")
    with pytest.raises(LeakModelMismatch, match="node 12"):
        guard_leak_model(model, "wntr")
