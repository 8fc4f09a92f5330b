"""Pipe distance as localization is judged."""

import math

import numpy as np
import pytest

from leak_assets.errors import InputError
from leak_assets.sites import PipeDistance, pipe_distance_frame, resolve


@pytest.fixture
def small(settings, small_inp):
    """Return the hand-made network."""
    return resolve(small_inp, settings)


def test_hand_values(small) -> None:
    """Half lengths count, the later parallel pipe counts, valves are no edges."""
    distance = PipeDistance(small)
    assert distance("p1", "p1") == 0
    assert distance("p1", "p2") == 50 + 200
    # The path from p1 to p4 goes over p3 (200 m), which replaced p2 (400 m).
    assert distance("p1", "p4") == 50 + 200 + 30
    assert distance("p4", "p1") == distance("p1", "p4")
    assert math.isinf(distance("p4", "p5"))
    assert distance("v1", "p5") == 40


def test_matrix_agrees_with_calls(net3) -> None:
    """The matrix has the value of each call, is symmetric and zero on its diagonal."""
    distance = PipeDistance(net3)
    ids, matrix = distance.matrix()
    assert len(ids) == 117
    assert np.allclose(matrix, matrix.T)
    assert not matrix.diagonal().any()
    rng = np.random.default_rng(0)
    for i, j in rng.integers(len(ids), size=(50, 2)):
        assert distance(ids[i], ids[j]) == pytest.approx(matrix[i, j])


def test_unknown_link_is_named(net3) -> None:
    """A link that does not exist is an input error."""
    with pytest.raises(InputError, match="nowhere"):
        PipeDistance(net3)("20", "nowhere")


def test_table_has_each_joined_pair_once(small) -> None:
    """The table holds unordered pairs with a path, and each pipe with itself."""
    frame = pipe_distance_frame(small)
    pairs = set(frame.select("link_a", "link_b").iter_rows())
    assert ("p1", "p4") in pairs
    assert ("p4", "p5") not in pairs
    assert all(a <= b for a, b in pairs)
    assert frame.height == len(pairs) == 4 * 5 // 2 + 1
