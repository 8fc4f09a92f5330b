"""A Kalman filter over daily channels that explains known things and keeps evidence for new ones.

Linear algebra of the sequential likelihood ratio (Willsky and Jones, "A generalized likelihood
ratio approach to the detection and estimation of jumps in linear systems", IEEE Trans. Autom.
Control 21, 1976). Which leaks exist and what is reported is decided by the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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

    @property
    def width(self) -> int:
        """Number of coefficients (R)."""
        return int(self.basis.shape[1])

    def is_active(self, day: int) -> bool:
        """Say whether the component adds on a day."""
        return self.first_day <= day and (self.last_day is None or day < self.last_day)

    def growing(self) -> "Component":
        """Return the component with twice the growth."""
        return replace(self, drift_sd=2 * self.drift_sd, spill_drift_sd=2 * self.spill_drift_sd)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the innovations say of an unknown effect that began on a day.

    The effect is a vector over the channels (S) times `growth`: 1 for a step, days since the
    onset times a slope for a ramp. Log likelihood ratio of effect v: `d·v − v·C·v / 2`, with
    `information` C and `score` d.
    """

    onset: int
    slope_per_day: float
    information: Floats
    score: Floats

    def growth(self, day: int) -> float:
        """Return the size of the effect on a day in parts of its unit."""
        return _growth(self.onset, self.slope_per_day, day)


@dataclass(frozen=True, eq=False)
class FilterState:
    """The filter at the end of a day; its arrays are never written to.

    Parameters
    ----------
    day
        Number of the day, -1 before the first.
    mean, covariance
        Of the state (N, N × N): offsets, slow departures, coefficients of active components.
    active
        Numbers of the active components, in the order of their coefficients.
    watched
        Onset and slope per day of the gathered evidence (E).
    gains, information, scores
        Of the evidence (E × N × S, E × S × S, E × S).
    """

    day: int
    mean: Floats
    covariance: Floats
    active: tuple[int, ...]
    watched: tuple[tuple[int, float], ...]
    gains: Floats
    information: Floats
    scores: Floats

    @classmethod
    def bare(
        cls, day: int, mean: Floats, covariance: Floats, active: tuple[int, ...], channels: int
    ) -> "FilterState":
        """Return a state with nothing gathered for unknown effects."""
        return cls(day, mean, covariance, active, (), *_nothing_gathered(len(mean), channels))

    def without_evidence(self) -> "FilterState":
        """Return the state without what is gathered for unknown effects."""
        return FilterState.bare(
            self.day, self.mean, self.covariance, self.active, self.gains.shape[2]
        )


class LeakFilter:
    """The filter on its way through the days.

    The state is a constant offset of each channel, a slow departure of each channel (first-order
    Markov), and the coefficients of the active components. Observation: their sum plus the fast
    scatter.

    Parameters
    ----------
    fast, slow
        Covariances of the scatter and of the slow departures (S × S).
    components
        Known things; they are named by their number.
    state
        Goes on from here; None: before the first day. Components that began by then must be
        those with which the state was reached.
    """

    def __init__(
        self,
        fast: Floats,
        slow: Floats,
        components: Sequence[Component] = (),
        state: FilterState | None = None,
    ) -> None:
        self.fast, self.slow = fast, slow
        self.components = tuple(components)
        self.state = state or _before_the_first_day(fast, slow)

    @property
    def day(self) -> int:
        """Number of the day that was taken last."""
        return self.state.day

    @property
    def evidence(self) -> list[Evidence]:
        """What is gathered for unknown effects, oldest onset first."""
        state = self.state
        return [
            Evidence(onset, slope, state.information[i], state.scores[i])
            for i, (onset, slope) in enumerate(state.watched)
        ]

    def growth(self, number: int) -> float:
        """Return the size of the effect that a piece of evidence is of, today, in its unit."""
        return _growth(*self.state.watched[number], self.state.day)

    def watch(self, onset: int, *, slope_per_day: float = 0.0) -> None:
        """Gather evidence from now on for an effect that begins on the next day."""
        state = self.state
        gains, information, scores = _nothing_gathered(len(state.mean), len(self.fast), 1)
        self.state = replace(
            state,
            watched=(*state.watched, (onset, slope_per_day)),
            gains=np.concatenate([state.gains, gains]),
            information=np.concatenate([state.information, information]),
            scores=np.concatenate([state.scores, scores]),
        )

    def forget(self, keep: set[tuple[int, float]]) -> None:
        """Drop evidence whose (onset, slope) is not in `keep`."""
        state = self.state
        kept = [i for i, key in enumerate(state.watched) if key in keep]
        if len(kept) < len(state.watched):
            self.state = replace(
                state,
                watched=tuple(state.watched[i] for i in kept),
                gains=state.gains[kept],
                information=state.information[kept],
                scores=state.scores[kept],
            )

    def step(self, values: Floats) -> None:
        """Take the channels of the next day (S); NaN is missing."""
        self._predict()
        state = self.state
        observation = self._observation()
        usable = np.isfinite(values)
        scatter = self.fast.copy()
        scatter[~usable, ~usable] += _UNUSABLE_VARIANCE
        cross = state.covariance @ observation.T
        total = observation @ cross + scatter
        inverse = np.linalg.inv(total)
        kalman = cross @ inverse
        surprise = np.where(usable, values, 0.0) - observation @ state.mean
        surprise[~usable] = 0.0
        gains, information, scores = state.gains, state.information, state.scores
        if state.watched:
            weight = inverse * np.outer(usable, usable)
            growth = np.array([_growth(*key, state.day) for key in state.watched])
            seen = growth[:, None, None] * np.eye(len(values))[None] - observation @ gains
            seen[:, ~usable, :] = 0.0
            weighted = weight @ seen
            information = information + np.swapaxes(seen, 1, 2) @ weighted
            scores = scores + np.swapaxes(weighted, 1, 2) @ surprise
            gains = gains + kalman @ seen
        covariance = state.covariance - kalman @ cross.T
        self.state = replace(
            state,
            mean=state.mean + kalman @ surprise,
            covariance=(covariance + covariance.T) / 2,
            gains=gains,
            information=information,
            scores=scores,
        )

    def effect(self, component: int) -> tuple[Floats, Floats]:
        """Return mean (S) and covariance (S × S) of what an active component adds now."""
        block = self._block(component)
        basis = self.components[component].basis
        spread = basis @ self.state.covariance[block, block] @ basis.T
        return basis @ self.state.mean[block], spread

    def coefficients(self, component: int) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of an active component's coefficients (R)."""
        block = self._block(component)
        variance = np.diag(self.state.covariance[block, block])
        return self.state.mean[block].copy(), np.sqrt(variance)

    def _predict(self) -> None:
        size = len(self.fast)
        self._set_active()
        keep = np.exp(-1.0 / SLOW_DAYS)
        state = self.state
        mean, covariance, gains = state.mean.copy(), state.covariance.copy(), state.gains.copy()
        mean[size : 2 * size] *= keep
        covariance[size : 2 * size] *= keep
        covariance[:, size : 2 * size] *= keep
        covariance[size : 2 * size, size : 2 * size] += (1 - keep**2) * self.slow
        gains[:, size : 2 * size] *= keep
        diagonal = np.einsum("ii->i", covariance)
        at = 2 * size
        for component in (self.components[number] for number in state.active):
            age = state.day - component.first_day
            rate = 1.0 if age <= GROWTH_DAYS else QUIET
            if age > 0:
                diagonal[at : at + component.width] += (rate * component.drift_sd) ** 2
                diagonal[:size] += (rate * component.spill_drift_sd) ** 2
            at += component.width
        self.state = replace(state, mean=mean, covariance=covariance, gains=gains)

    def _set_active(self) -> None:
        """Begin a day: drop coefficients of components that ended, add those that begin."""
        size = len(self.fast)
        before = replace(self.state, day=self.state.day + 1)
        active = {i for i, c in enumerate(self.components) if c.is_active(before.day)}
        if active == set(before.active):
            self.state = before
            return
        old = before.covariance.copy()
        keep, at = list(range(2 * size)), 2 * size
        for number in before.active:
            component = self.components[number]
            if number in active:
                keep.extend(range(at, at + component.width))
            else:
                # What it spilled beyond its basis ends with it.
                np.einsum("ii->i", old)[:size] += component.spill_sd**2
            at += component.width
        fresh = sorted(active - set(before.active))
        added = sum(self.components[number].width for number in fresh)
        mean = np.concatenate([before.mean[keep], np.zeros(added)])
        covariance = np.zeros((len(mean), len(mean)))
        covariance[: len(keep), : len(keep)] = old[np.ix_(keep, keep)]
        diagonal = np.einsum("ii->i", covariance)
        at = len(keep)
        for component in (self.components[number] for number in fresh):
            diagonal[at : at + component.width] = component.initial_sd**2
            diagonal[:size] += component.spill_sd**2
            at += component.width
        self.state = replace(
            before,
            mean=mean,
            covariance=covariance,
            active=(*(number for number in before.active if number in active), *fresh),
            gains=np.concatenate(
                [before.gains[:, keep], np.zeros((len(before.watched), added, size))], axis=1
            ),
        )

    def _observation(self) -> Floats:
        size = len(self.fast)
        parts = (self.components[number].basis for number in self.state.active)
        return np.concatenate([np.eye(size), np.eye(size), *parts], axis=1)

    def _block(self, component: int) -> slice:
        at = 2 * len(self.fast)
        for number in self.state.active:
            width = self.components[number].width
            if number == component:
                return slice(at, at + width)
            at += width
        raise KeyError(f"component {component} is not active on day {self.day}")


def _before_the_first_day(fast: Floats, slow: Floats) -> FilterState:
    size = len(fast)
    covariance = np.zeros((2 * size, 2 * size))
    covariance[size:, size:] = slow
    # The reference days fix the offsets only as well as their scatter allows.
    covariance[:size, :size] = fast
    return FilterState.bare(-1, np.zeros(2 * size), covariance, (), size)


def _nothing_gathered(length: int, size: int, count: int = 0) -> tuple[Floats, Floats, Floats]:
    """Return gains, information and scores of evidence at its begin."""
    return np.zeros((count, length, size)), np.zeros((count, size, size)), np.zeros((count, size))


def _growth(onset: int, slope_per_day: float, day: int) -> float:
    return 1.0 if slope_per_day == 0 else (day - onset + 1) * slope_per_day
