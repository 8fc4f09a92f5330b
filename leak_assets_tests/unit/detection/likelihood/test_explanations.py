"""What a change is taken for: the right pipe, a lying sensor, a doubt between look-alikes."""

from dataclasses import replace

import numpy as np
import pytest

from leak_assets.detection.likelihood.explanations import Explanations

PIPES = ("p0", "p1", "p2", "p3")


@pytest.fixture
def explanations() -> Explanations:
    """Return four pipes, 500 m apart but for the last two, seen by four sensors and a balance."""
    leaks = np.array(
        [
            [-0.010, -0.004, -0.002, -0.001, 1.0],
            [-0.002, -0.012, -0.003, -0.001, 1.0],
            [-0.001, -0.003, -0.009, -0.005, 1.0],
            [-0.001, -0.003, -0.0088, -0.0052, 1.0],
        ]
    )
    meters = np.array([[0.003, 0.003, 0.003, 0.003, 1.0]])
    position = np.array([0.0, 500.0, 1000.0, 1100.0])
    return Explanations(PIPES, leaks, meters, np.abs(position[:, None] - position[None]), 4)


COVARIANCE = np.diag([0.002**2] * 4 + [1.0])


@pytest.mark.parametrize("pipe", [0, 1, 2, 3])
def test_the_leaking_pipe_is_placed(explanations: Explanations, pipe: int) -> None:
    """The place is within 300 m of the true pipe, the flow about right, the chance high."""
    place = explanations.place(8.0 * explanations.leaks[pipe], COVARIANCE)
    assert explanations.distance_m[pipe, place.pipe] <= 300
    assert place.flow_m3_per_h == pytest.approx(8, rel=0.15)
    assert place.chance > 0.9
    assert sum(share for _, share in place.candidates) == pytest.approx(1)


def test_the_next_pipe_is_within_reach_where_pipes_are_long(explanations: Explanations) -> None:
    """300 m where there is a pipe so near, else as far as the nearest; no way is no reach."""
    assert explanations.reach_m.tolist() == [500, 500, 300, 300]
    alone = replace(explanations, distance_m=np.where(np.eye(4), 0, np.inf))
    assert alone.reach_m.tolist() == [300] * 4


def test_neighbors_share_their_chance(explanations: Explanations) -> None:
    """Two pipes that look alike and lie together make one sure place."""
    effect = 8.0 * explanations.leaks[2:].mean(axis=0)
    assert explanations.place(effect, COVARIANCE).chance > 0.9


def test_noise_gives_no_sure_place(explanations: Explanations) -> None:
    """With a change as small as its error no place is sure."""
    place = explanations.place(0.2 * explanations.leaks[0], COVARIANCE)
    assert place.chance < 0.8


def test_one_lying_sensor_is_a_fault(explanations: Explanations) -> None:
    """A change at a single sensor is likelier a fault than a leak, and the reverse."""
    lie = np.array([0.0, 0.3, 0.0, 0.0, 0.0])
    fault, likelihood = explanations.fault(lie, COVARIANCE)
    assert fault == 1
    assert likelihood > explanations.place(lie, COVARIANCE).log_likelihood + 3
    leak = 8.0 * explanations.leaks[0]
    assert (
        explanations.fault(leak, COVARIANCE)[1]
        < explanations.place(leak, COVARIANCE).log_likelihood
    )


def test_a_wrong_inflow_meter_is_a_fault(explanations: Explanations) -> None:
    """A meter that reads too much raises the residuals of all pressures: no leak does."""
    lie = 20 * explanations.meters[0]
    fault, likelihood = explanations.fault(lie, COVARIANCE)
    assert fault == 4
    assert likelihood > explanations.place(lie, COVARIANCE).log_likelihood + 3
