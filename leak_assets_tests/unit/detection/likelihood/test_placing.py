"""What a change is taken for: the right pipe, a doubt between look-alikes, no place for noise."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leak_assets.detection.likelihood.coordinates import Coordinates
from leak_assets.detection.likelihood.explanations import Explanations
from leak_assets.detection.likelihood.noise import Noise
from leak_assets.detection.likelihood.placing import Placed, at_pipe, place
from leak_assets_tests.channels import reference, responses

CHANNELS = tuple(range(6))


@lru_cache
def explanations() -> Explanations:
    """Return the made-up network's."""
    return responses().explanations(reference())


def coordinates(channels: tuple[int, ...] = CHANNELS) -> Coordinates:
    """Return the coordinates of some of its channels."""
    return Coordinates.of(explanations(), Noise.of(reference()), channels)


def placed(effect: np.ndarray, days: float = 20.0) -> Placed:
    """Place an effect (6) that was seen on so many days."""
    turned = coordinates().turn @ effect
    information = np.full(6, days)
    return place(coordinates(), explanations(), information, information * turned)


@pytest.mark.parametrize("pipe", range(5))
def test_the_leaking_pipe_is_placed(pipe: int) -> None:
    """The place is within 300 m of the true pipe, the flow about right, the chance high."""
    found = placed(8.0 * explanations().leaks[pipe]).place
    assert explanations().distance_m[pipe, found.pipe] <= 300
    assert found.flow_m3_per_h == pytest.approx(8, rel=0.2)
    assert found.chance > 0.9
    assert found.candidates[0][0] == found.pipe
    assert sum(share for _, share in found.candidates) == pytest.approx(1)


def test_neighbors_share_their_chance() -> None:
    """Two pipes that look alike and lie together make one sure place."""
    assert placed(8.0 * explanations().leaks[3:].mean(axis=0)).place.chance > 0.9


def test_noise_gives_no_gain() -> None:
    """A change as small as its error speaks for no leak, and its place is not sure."""
    found = placed(0.1 * explanations().leaks[0], days=1.0)
    assert found.gain < 0
    assert found.place.chance < 0.8


@given(size=st.floats(2.5, 30.0), pipe=st.integers(0, 4))
def test_more_days_speak_louder(size: float, pipe: int) -> None:
    """The gain of a true leak grows with the days it was seen on."""
    effect = size * explanations().leaks[pipe]
    gains = [placed(effect, days).gain for days in (1.0, 5.0, 50.0)]
    assert gains == sorted(gains)


def test_a_known_pipe_is_sized() -> None:
    """Where the pipe is known only the size is asked: the gain is at most that of the best pipe."""
    effect = 8.0 * explanations().leaks[1]
    turned = coordinates().turn @ effect
    information = np.full(6, 20.0)
    evidence = information, information * turned
    gain, size = at_pipe(coordinates(), explanations(), 1, *evidence)
    assert size == pytest.approx(8.0, rel=0.2)
    assert gain > at_pipe(coordinates(), explanations(), 0, *evidence)[0]
    assert gain <= placed(effect).of_pipes.max()


def test_noise_is_white_in_the_coordinates() -> None:
    """Turned by the coordinates the daily covariance is the identity, also of fewer channels."""
    daily = Noise.of(reference()).daily
    for channels in (CHANNELS, (0, 2, 3, 5)):
        own = coordinates(channels)
        here = daily[np.ix_(channels, channels)]
        assert np.allclose(own.turn @ here @ own.turn.T, np.eye(len(channels)))
        assert np.allclose(own.back @ own.turn, np.eye(len(channels)))
        assert [group.is_pressure for group in own.groups] == [True, False]
