"""What a change in the channels can be: a leak at a pipe, a sensor that lies, a leak that ended.

Likelihoods of explanations given the evidence; when to believe one is the caller's decision.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .leak_filter import Component, Evidence

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
NEIGHBOR_DIRECTIONS = 5
HIT_M = 300.0
CANDIDATES = 20
# Flows below are those of a network with this mean demand (L-Town's), and grow with it: what is a
# leak in a town of 178 m3/h drowns in the noise of a city of 20,000.
DEMAND_M3_PER_H = 178.48489148249374
# Growth of a leak, m3/h per square root of a day.
GROWTH_M3_PER_H = 0.4
# What a leak is given at least, so that every pipe has a likelihood; sizes of faults.
_LEAST_M3_PER_H = 0.1
_SMALLEST_SD_M3_PER_H = 3.0
_SENSOR_SD_M = 1.0
_METER_SD_M3_PER_H = 30.0


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
    """

    pipes: tuple[str, ...]
    leaks: Floats
    meters: Floats
    distance_m: Floats
    pressures: int
    flow_scale: float = 1.0

    @cached_property
    def reach_m(self) -> Floats:
        """How far from each pipe is beside it (P): `HIT_M`, or the next pipe if that is farther.

        In Hanoi every pipe is longer than `HIT_M`: a leak that looked larger on its second day,
        and was placed on the neighbor then, was another leak there.
        """
        away = self.distance_m.copy()
        np.fill_diagonal(away, np.inf)
        nearest = away.min(axis=1, initial=np.inf)
        return np.maximum(HIT_M, np.where(np.isfinite(nearest), nearest, 0.0))

    @cached_property
    def faults(self) -> Floats:
        """Directions of faults, of either sign (F × S): pressure sensors, then zones' meters."""
        sensors = np.eye(self.leaks.shape[1])[: self.pressures]
        return np.concatenate([sensors, self.meters])

    @cached_property
    def leak_bank(self) -> "Bank":
        """The leaks as directions of ratios."""
        return Bank(self.leaks)

    @cached_property
    def fault_bank(self) -> "Bank":
        """The faults as directions of ratios."""
        return Bank(self.faults)

    @cached_property
    def mismatch(self) -> Floats:
        """Deviation of the true effect of 1 m3/h from its signature (P × S)."""
        part = self.leaks[:, : self.pressures] ** 2
        level = part.mean(axis=1, keepdims=True)
        pressure = MISMATCH * np.sqrt((part + level) / 2)
        balance = np.full((len(self.pipes), self.leaks.shape[1] - self.pressures), BALANCE_MISMATCH)
        return np.concatenate([pressure, balance], axis=1)

    @cached_property
    def _pressure_part(self) -> Floats:
        """Return the signatures with the balances left out (P × S)."""
        out = self.leaks.copy()
        out[:, self.pressures :] = 0.0
        return out

    def place(self, effect: Floats, covariance: Floats) -> Place:
        """Return the pipe with the best chance that the leak is within 300 m of it.

        Parameters
        ----------
        effect, covariance
            Estimate of the change in the channels (S) and its covariance (S × S).
        """
        weight = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
        flow = self._flow(effect, np.broadcast_to(weight, (len(self.pipes), *weight.shape)))
        for _ in range(3):
            common = COMMON_MISMATCH * flow[:, None] * self._pressure_part
            spread = covariance[None] + common[:, :, None] * common[:, None, :]
            np.einsum("pss->ps", spread)[:] += (flow[:, None] * self.mismatch) ** 2
            weights = np.asarray(np.linalg.inv(spread), dtype=np.float64)
            flow = self._flow(effect, weights)
        rest = effect[None] - flow[:, None] * self.leaks
        misfit = ((rest[:, None, :] @ weights)[:, 0] * rest).sum(axis=1)
        _, log_det = np.linalg.slogdet(spread)
        log_likelihood = -(misfit + log_det) / 2
        chance = np.exp(log_likelihood - log_likelihood.max())
        chance /= chance.sum()
        near = (self.distance_m <= HIT_M) @ chance
        # Of the pipes with nearly the best chance the most likely one: it is also the nearest.
        best = int(np.argmax(np.where(near >= near.max() - 0.02, chance + near, -1.0)))
        likeliest = np.argsort(-chance, kind="stable")[:CANDIDATES]
        candidates = tuple((int(i), float(chance[i])) for i in likeliest)
        peak = float(log_likelihood.max())
        return Place(best, float(near[best]), float(flow[best]), peak, candidates)

    def fault(self, effect: Floats, covariance: Floats) -> tuple[int, float]:
        """Return the most likely fault and its log likelihood."""
        weight = np.linalg.inv(covariance)
        weighted = self.faults @ weight
        size = (weighted @ effect) / (weighted * self.faults).sum(axis=1)
        rest = effect[None] - size[:, None] * self.faults
        misfit = ((rest @ weight) * rest).sum(axis=1)
        best = int(misfit.argmin())
        return best, -(float(misfit[best]) + float(np.linalg.slogdet(covariance)[1])) / 2

    def leak_component(self, pipe: int, first_day: int, flow_m3_per_h: float) -> Component:
        """Return a leak as something known: its signature, its neighbors', and a remainder."""
        size = max(flow_m3_per_h, _SMALLEST_SD_M3_PER_H * self.flow_scale)
        growth = GROWTH_M3_PER_H * self.flow_scale
        common = COMMON_MISMATCH * self._pressure_part[[pipe]]
        basis = np.concatenate([self.leaks[[pipe]], common, self._neighbors(pipe)]).T
        return Component(
            basis,
            first_day,
            None,
            np.full(basis.shape[1], size),
            np.full(basis.shape[1], growth),
            size * self.mismatch[pipe],
            growth * self.mismatch[pipe],
        )

    def fault_component(self, fault: int, first_day: int) -> Component:
        """Return a fault as something known that may take any value from day to day."""
        meter_sd = _METER_SD_M3_PER_H * self.flow_scale
        sd = _SENSOR_SD_M if fault < self.pressures else meter_sd
        none = np.zeros(self.leaks.shape[1])
        width = np.full(1, sd)
        return Component(self.faults[[fault]].T, first_day, None, width, width, none, none)

    def repaired_component(
        self, pipe: int, first_day: int, last_day: int, growth_m3_per_h: float
    ) -> Component:
        """Return a leak that a report tells of: anywhere in size from first to last day."""
        signature = self.leaks[pipe]
        basis = np.concatenate([signature[None], np.diag(self.mismatch[pipe])]).T
        drift = np.full(basis.shape[1], growth_m3_per_h)
        none = np.zeros(len(signature))
        return Component(basis, first_day, last_day, drift, drift, none, none)

    def _flow(self, effect: Floats, weights: Floats) -> Floats:
        """Return the flow at each pipe that fits best, at least `_LEAST_M3_PER_H` (P)."""
        weighted = (self.leaks[:, None, :] @ weights)[:, 0]
        flow = (weighted @ effect) / (weighted * self.leaks).sum(axis=1)
        return np.maximum(flow, _LEAST_M3_PER_H * self.flow_scale)

    def _neighbors(self, pipe: int) -> Floats:
        """Return the main directions in which the neighbors' signatures differ (R × S)."""
        away = self.distance_m[pipe]
        near = np.flatnonzero((away <= NEIGHBORHOOD_M) & (away > 0))
        if len(near) == 0:
            return np.zeros((0, self.leaks.shape[1]))
        weight = np.exp(-((away[near] / NEIGHBOR_SCALE_M) ** 2))
        rows = np.sqrt(weight / weight.sum())[:, None] * (self.leaks[near] - self.leaks[pipe])
        _, values, directions = np.linalg.svd(rows, full_matrices=False)
        return (values[:, None] * directions)[:NEIGHBOR_DIRECTIONS]


class Bank:
    """Ratios of the same directions for all evidence at once: one product of matrices.

    Parameters
    ----------
    directions
        Effects of unit size (N × S).
    """

    def __init__(self, directions: Floats) -> None:
        self._directions = directions
        size = directions.shape[1]
        self._pairs = np.triu_indices(size)
        twice = np.where(self._pairs[0] == self._pairs[1], 1.0, 2.0)
        first, second = (directions[:, part] for part in self._pairs)
        self._squares = first * second * twice

    def ratios(self, information: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """Return log likelihood ratios times two, signed, and sizes (E × N each).

        Parameters
        ----------
        information, scores
            Of the evidence (E × S × S, E × S).
        """
        known = information[:, *self._pairs] @ self._squares.T
        score = scores @ self._directions.T
        size = np.divide(score, known, out=np.zeros(score.shape), where=known > 0)
        return size * score * np.sign(size), size


def ratios(evidence: Evidence, directions: Floats) -> tuple[Floats, Floats]:
    """Return log likelihood ratio times two and size of each direction's effect (N), signed."""
    information = ((directions @ evidence.information) * directions).sum(axis=1)
    score = directions @ evidence.score
    size = np.divide(score, information, out=np.zeros(len(score)), where=information > 0)
    return size * score * np.sign(size), size
