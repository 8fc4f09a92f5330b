"""How far true responses lie from the signatures: leaks in towns that differ from the model.

Draws towns as scenario runs do; what a detector makes of the spread is its own business.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.hydraulics.towns.town import Town, TownBounds
from leak_assets.hydraulics.towns.town_model import true_model
from leak_assets.sites import Network, SensorLayout

from .leaks import LeakModel
from .signatures import LEAK_M3_PER_S, changes_at

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mismatch:
    """What the residual shows of a leak in towns that differ from the model.

    The twin is the nominal model in every town, so its answer to a leak is always the same.

    Parameters
    ----------
    pipes, sensors
        Names (P) and wide columns (S), as of `Signatures`.
    nominal
        Signature: mean response over the hours, per m3/s of leak (P × S).
    members
        The same of each town (M × P × S).
    """

    pipes: tuple[str, ...]
    sensors: tuple[str, ...]
    nominal: Floats
    members: Floats

    @property
    def mean(self) -> Floats:
        """Mean response over the towns (P × S)."""
        return self.members.mean(axis=0)

    def covariance(self, pipe: int) -> Floats:
        """Return the covariance of one pipe's response over sensors, around its mean (S × S)."""
        return np.atleast_2d(np.cov(self.members[:, pipe], rowvar=False))

    def common_factor(self) -> Floats:
        """Return by what each town's response is the signature, least squares (M × P)."""
        square = np.maximum((self.nominal**2).sum(axis=1), np.finfo(np.float64).tiny)
        factor: Floats = (self.members * self.nominal).sum(axis=2) / square
        return factor


def ensemble_mismatch(
    network: Network,
    layout: SensorLayout,
    pipes: Sequence[str],
    *,
    members: int,
    hours: Sequence[int] = (3, 9, 15, 21),
    leak_m3_per_s: float = LEAK_M3_PER_S,
    seed: int = 1,
    bounds: TownBounds | None = None,
) -> Mismatch:
    """Return how leaks look in towns drawn as for scenario runs: some seconds a town on L-Town.

    Diameters, roughness, lengths, demands, set-points of valves and closed pipes differ; patterns
    and season are the model's.

    Parameters
    ----------
    members
        Towns, at least two; town i has the seed `seed` + i.
    hours
        Hours of the first pattern day that the mean is taken over.
    bounds
        How far towns differ; None for the usual.

    Raises
    ------
    InputError
        Fewer than two towns.
    HydraulicError
        A town has no steady state.
    """
    if members < 2:
        raise InputError(f"an ensemble of {members}", remedy="Use two towns or more")
    towns = (Town.draw(network, seed + number, bounds) for number in range(members))
    responses = _responses(network, layout, tuple(pipes), tuple(hours), leak_m3_per_s, towns)
    sensors, nominal = next(responses)
    return Mismatch(tuple(pipes), sensors, nominal, np.stack([found for _, found in responses]))


def _responses(
    network: Network,
    layout: SensorLayout,
    pipes: tuple[str, ...],
    hours: tuple[int, ...],
    size: float,
    towns: Iterator[Town],
) -> Iterator[tuple[tuple[str, ...], Floats]]:
    """Yield sensors and mean responses (P × S): of the model, then of each town."""
    with LeakModel(network, layout, pipes, hours) as model:
        whole = _mean_changes(model, size, len(hours))
        # The twin's answer; nothing for pipes in no zone or in two.
        answer = np.concatenate([whole[len(pipes) :], np.zeros((1, whole.shape[1]))])[model.zone]
        names = (*(f"pressure/{n}" for n in model.pressures), *(f"flow/{n}" for n in model.flows))
        yield names, whole[: len(pipes)] - answer
    for town in towns:
        with LeakModel(network, layout, pipes, hours, true_model(network, town)) as model:
            yield names, _mean_changes(model, size, len(hours))[: len(pipes)] - answer


def _mean_changes(model: LeakModel, size: float, hours: int) -> Floats:
    """Return what draws change per m3/s, mean over hours (P+Z × S)."""
    found = [changes_at(model, h, (size,))[0][0].T for h in range(hours)]
    mean: Floats = np.mean(found, axis=0) / size
    return mean
