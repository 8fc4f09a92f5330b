"""A Kalman filter over daily channels that explains known things and keeps evidence for new ones.

Linear algebra of the sequential likelihood ratio (Willsky and Jones, "A generalized likelihood
ratio approach to the detection and estimation of jumps in linear systems", IEEE Trans. Autom.
Control 21, 1976). Which leaks exist and what is reported is decided by the caller.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Slow departures of the twin (season, demand level) forget themselves within a month.
SLOW_DAYS = 30.0
# Rates of growth beyond this age are the quiet ones: leaks of the field reach their full size
# within four months.
GROWTH_DAYS = 120
QUIET = 0.1
_UNUSABLE_VARIANCE = 1e6


@dataclass(frozen=True, eq=False)
class Component:
    """Something known that adds to the channels from a day on: a leak, a fault, a repair window.

    Parameters
    ----------
    basis
        Directions in which it adds (S × R).
    first_day, last_day
        It is there from `first_day` up to, not including, `last_day` (None: to the end).
    initial_sd, drift_sd
        Standard deviation of the coefficients on the first day, and of their change per day (R).
    spill_sd, spill_drift_sd
        Deviation of the effect that the basis does not hold (S), on the first day and per day;
        it stays when the component ends.
    """

    basis: Floats
    first_day: int
    last_day: int | None
    initial_sd: Floats
    drift_sd: Floats
    spill_sd: Floats
    spill_drift_sd: Floats

    def is_active(self, day: int) -> bool:
        """Say whether the component adds on a day."""
        return self.first_day <= day and (self.last_day is None or day < self.last_day)

    def growing(self) -> "Component":
        """Return the component with twice the growth."""
        return replace(self, drift_sd=2 * self.drift_sd, spill_drift_sd=2 * self.spill_drift_sd)


@dataclass
class Evidence:
    """What the innovations say of an unknown effect that began on a day.

    The effect is a vector over the channels (S) times `growth`: 1 for a step, days since the
    onset times a slope for a ramp. Log likelihood ratio of effect v: `d·v − v·C·v / 2`.
    """

    onset: int
    slope_per_day: float
    gain: Floats
    information: Floats
    score: Floats

    def growth(self, day: int) -> float:
        """Return the size of the effect on a day in parts of its unit."""
        return 1.0 if self.slope_per_day == 0 else (day - self.onset + 1) * self.slope_per_day


@dataclass
class LeakFilter:
    """The filter at the end of a day.

    The state is a constant offset of each channel, a slow departure of each channel (first-order
    Markov), and the coefficients of the active components. Observation: their sum plus the fast
    scatter.

    Parameters
    ----------
    fast, slow
        Covariances of the scatter and of the slow departures (S × S).
    components
        Known things.
    """

    fast: Floats
    slow: Floats
    components: tuple[Component, ...] = ()
    day: int = -1
    mean: Floats = field(init=False)
    covariance: Floats = field(init=False)
    evidence: list[Evidence] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = len(self.fast)
        self._active: list[Component] = []
        self.mean = np.zeros(2 * size)
        self.covariance = np.zeros((2 * size, 2 * size))
        self.covariance[size:, size:] = self.slow
        # The reference days fix the offsets only as well as their scatter allows.
        self.covariance[:size, :size] = self.fast

    def watch(self, onset: int, *, slope_per_day: float = 0.0) -> None:
        """Gather evidence from now on for an effect that begins on the next day."""
        size = len(self.fast)
        self.evidence.append(
            Evidence(
                onset,
                slope_per_day,
                np.zeros((len(self.mean), size)),
                np.zeros((size, size)),
                np.zeros(size),
            )
        )

    def forget(self, keep: set[tuple[int, float]]) -> None:
        """Drop evidence whose (onset, slope) is not in `keep`."""
        self.evidence = [e for e in self.evidence if (e.onset, e.slope_per_day) in keep]

    def step(self, values: Floats) -> None:
        """Take the channels of the next day (S); NaN is missing."""
        self.day += 1
        self._predict()
        observation = self._observation()
        usable = np.isfinite(values)
        scatter = self.fast.copy()
        scatter[~usable, ~usable] += _UNUSABLE_VARIANCE
        cross = self.covariance @ observation.T
        total = observation @ cross + scatter
        inverse = np.linalg.inv(total)
        kalman = cross @ inverse
        surprise = np.where(usable, values, 0.0) - observation @ self.mean
        surprise[~usable] = 0.0
        weight = inverse * np.outer(usable, usable)
        if self.evidence:
            self._gather(observation, kalman, weight, surprise, usable)
        self.mean = self.mean + kalman @ surprise
        self.covariance = self.covariance - kalman @ cross.T
        self.covariance = (self.covariance + self.covariance.T) / 2

    def effect(self, component: Component) -> tuple[Floats, Floats]:
        """Return mean (S) and covariance (S × S) of what an active component adds now."""
        block = self._block(component)
        basis = component.basis
        return basis @ self.mean[block], basis @ self.covariance[block, block] @ basis.T

    def coefficients(self, component: Component) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of an active component's coefficients (R)."""
        block = self._block(component)
        return self.mean[block].copy(), np.sqrt(np.diag(self.covariance[block, block]))

    def _gather(
        self,
        observation: Floats,
        kalman: Floats,
        weight: Floats,
        surprise: Floats,
        usable: NDArray[np.bool_],
    ) -> None:
        size = len(self.fast)
        gains = np.stack([e.gain for e in self.evidence])
        growth = np.array([e.growth(self.day) for e in self.evidence])
        seen = growth[:, None, None] * np.eye(size)[None] - observation @ gains
        seen[:, ~usable, :] = 0.0
        weighted = weight @ seen
        information = np.swapaxes(seen, 1, 2) @ weighted
        score = np.swapaxes(weighted, 1, 2) @ surprise
        gains = gains + kalman @ seen
        for i, evidence in enumerate(self.evidence):
            evidence.information = evidence.information + information[i]
            evidence.score = evidence.score + score[i]
            evidence.gain = gains[i]

    def _predict(self) -> None:
        size = len(self.fast)
        self._set_active()
        keep = np.exp(-1.0 / SLOW_DAYS)
        self.mean[size : 2 * size] *= keep
        self.covariance[size : 2 * size] *= keep
        self.covariance[:, size : 2 * size] *= keep
        self.covariance[size : 2 * size, size : 2 * size] += (1 - keep**2) * self.slow
        for evidence in self.evidence:
            evidence.gain[size : 2 * size] *= keep
        diagonal = np.einsum("ii->i", self.covariance)
        at = 2 * size
        for component in self._active:
            age = self.day - component.first_day
            rate = 1.0 if age <= GROWTH_DAYS else QUIET
            width = component.basis.shape[1]
            if age > 0:
                diagonal[at : at + width] += (rate * component.drift_sd) ** 2
                diagonal[:size] += (rate * component.spill_drift_sd) ** 2
            at += width

    def _set_active(self) -> None:
        """Drop the coefficients of components that ended, add those of components that begin."""
        size = len(self.fast)
        active = [c for c in self.components if c.is_active(self.day)]
        if active == self._active:
            return
        keep, at = list(range(2 * size)), 2 * size
        for component in self._active:
            width = component.basis.shape[1]
            if component in active:
                keep.extend(range(at, at + width))
            else:
                # What it spilled beyond its basis ends with it.
                np.einsum("ii->i", self.covariance)[:size] += component.spill_sd**2
            at += width
        fresh = [c for c in active if c not in self._active]
        kept = [c for c in self._active if c in active]
        added = sum(c.basis.shape[1] for c in fresh)
        self.mean = np.concatenate([self.mean[keep], np.zeros(added)])
        covariance = np.zeros((len(self.mean), len(self.mean)))
        covariance[: len(keep), : len(keep)] = self.covariance[np.ix_(keep, keep)]
        diagonal = np.einsum("ii->i", covariance)
        at = len(keep)
        for component in fresh:
            width = component.basis.shape[1]
            diagonal[at : at + width] = component.initial_sd**2
            diagonal[:size] += component.spill_sd**2
            at += width
        self.covariance = covariance
        for evidence in self.evidence:
            evidence.gain = np.concatenate([evidence.gain[keep], np.zeros((added, size))])
        self._active = kept + fresh

    def _observation(self) -> Floats:
        size = len(self.fast)
        return np.concatenate(
            [np.eye(size), np.eye(size), *(c.basis for c in self._active)], axis=1
        )

    def _block(self, component: Component) -> Any:
        at = 2 * len(self.fast)
        for active in self._active:
            width = active.basis.shape[1]
            if active is component:
                return slice(at, at + width)
            at += width
        raise KeyError("the component is not active")
