"""What a change in the channels can be: a leak at a pipe, a sensor or a zone's meter that lies.

Effects and how far true ones may be from them; likelihoods are `fit` and `placing`.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A true response differs from the nominal signature by about a quarter of its size per channel:
# diameters and roughness ±10 %, one closed valve, the hole between two nodes.
MISMATCH = 0.25
# What all pressures share: a pipe ±10 % in diameter on the way loses up to half more or less.
COMMON_MISMATCH = 0.3
# A balance sees a leak as it is, but for the tank's level and the meters.
BALANCE_MISMATCH = 0.1
# Pipes that can stand for the leaking one: BattLeDIM's radius and a little more.
NEIGHBORHOOD_M = 400.0
NEIGHBOR_SCALE_M = 200.0
HIT_M = 300.0
CANDIDATES = 20
# Flows below are those of a network with this mean demand (L-Town's), and grow with it: what is a
# leak in a town of 178 m3/h drowns in the noise of a city of 20,000.
DEMAND_M3_PER_H = 178.48489148249374


@dataclass(frozen=True)
class Place:
    """The likely place of a leak.

    Parameters
    ----------
    pipe
        Number of the pipe with the best chance.
    chance
        That the leak is within 300 m of it.
    flow_m3_per_h, log_likelihood
        Of the best explanation there.
    candidates
        The likeliest pipes with their shares of the probability over all pipes.
    """

    pipe: int
    chance: float
    flow_m3_per_h: float
    log_likelihood: float
    candidates: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Explanations:
    """Candidate explanations of a change.

    Parameters
    ----------
    pipes
        Names (P).
    leaks
        Effect of 1 m3/h at each pipe on the channels (P × S).
    meters
        Effect of 1 m3/h that a zone's meters read too much (Z × S).
    distance_m
        Between pipes (P × P).
    pressures
        Number of pressure channels; they come first.
    flow_scale
        Mean demand of the network in parts of `DEMAND_M3_PER_H`.
    place
        Number of the zone, among those with a balance, in which each pressure lies; empty where
        that is not known.
    """

    pipes: tuple[str, ...]
    leaks: Floats
    meters: Floats
    distance_m: Floats
    pressures: int
    flow_scale: float = 1.0
    place: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def zone_of_pressures(self) -> NDArray[np.int64]:
        """Number of the zone whose load counts for each pressure, the first if not known."""
        known = len(self.place) == self.pressures
        return self.place if known else np.zeros(self.pressures, np.int64)

    @cached_property
    def faults(self) -> Floats:
        """Directions of faults, of either sign (F × S): pressure sensors, then zones' meters."""
        sensors = np.eye(self.leaks.shape[1])[: self.pressures]
        return np.concatenate([sensors, self.meters])

    @cached_property
    def mismatch(self) -> Floats:
        """Deviation of the true effect of 1 m3/h from its signature (P × S)."""
        part = self.leaks[:, : self.pressures] ** 2
        level = part.mean(axis=1, keepdims=True)
        pressure = MISMATCH * np.sqrt((part + level) / 2)
        balance = np.full((len(self.pipes), self.leaks.shape[1] - self.pressures), BALANCE_MISMATCH)
        return np.concatenate([pressure, balance], axis=1)
