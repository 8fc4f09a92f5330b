"""The causal story of a network's leaks, day by day: found, grown, repaired, and faults beside.

Decisions only; their likelihoods are `explanations`, the arithmetic is `leak_filter`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leak_assets.features.half_hours import ChannelReference

from .explanations import HIT_M, Bank, Explanations, Place, ratios
from .leak_filter import GROWTH_DAYS, Component, Evidence, FilterState, LeakFilter
from .noise import Noise
from .policy import LikelihoodPolicy
from .state import Event, LikelihoodState, Suspicion

Floats = NDArray[np.float64]

OPERATION = LikelihoodPolicy()
FAULT_MARGIN = 3.0
FAULT_SHARE = 0.8
# The end of a leak is its effect reversed, but for the growth that the filter has not followed.
ENDING_MISMATCH = 0.1
# A reported repair: how long before it the leak may have begun, and how fast it may have grown.
REPAIR_WINDOW_DAYS = 90
REPAIR_GROWTH_M3_PER_H = 25.0
RAMP_PER_DAY = 1 / 30
_LONGEST_DAYS = 120
# How often a young leak may turn out to grow faster before it is taken for a second one.
MOST_GROWTHS = 3
# The day on which a leak begins is a mixture: on the days after it, the same leak looks larger.
MIXED_DAYS = 3
_MOST_PER_DAY = 4
# Prior variance of an effect where nothing is measured, in units of the channels.
_FREE_VARIANCE = 1e6
# Days between copies of the filter to which a rebuild goes back. No event changes what was more
# than `_LONGEST_DAYS` ago.
CHECKPOINT_DAYS = 4
_H_PER_DAY = 24.0

# Names a hypothesis: kind, number of the pipe or fault, day.
Name = Callable[[Literal["leak", "fault"], int, int], str]


@dataclass(frozen=True)
class Repair:
    """A repaired leak that a report tells of: number of its pipe, day since the first one."""

    pipe: int
    day: int


class History:
    """The way through the days: takes one after the other and keeps the events believed so far.

    Parameters
    ----------
    state
        After the day before, with its reference.
    explanations
        What changes can be.
    repairs
        Leaks that a report tells of.
    name
        Gives hypotheses their names.
    policy
        When a change is believed, and a leak reported.
    """

    def __init__(
        self,
        state: LikelihoodState,
        explanations: Explanations,
        repairs: Sequence[Repair],
        name: Name,
        policy: LikelihoodPolicy = OPERATION,
    ) -> None:
        if state.reference is None:
            raise ValueError("there is no reference yet")
        self.reference: ChannelReference = state.reference
        self.explanations = explanations
        self.policy = policy
        self._smallest_m3_per_h = policy.smallest_m3_per_h * explanations.flow_scale
        self.events = list(state.events)
        self.suspicion = state.suspicion
        # Of this day: what was waited for and is no more, and the effect behind each event.
        self.dropped: Suspicion | None = None
        self._name = name
        self._noise = Noise.of(self.reference)
        self._learning_days = (self.reference.days[-1] - self.reference.days[0]).days + 1
        self._repaired = tuple(
            explanations.repaired_component(
                repair.pipe,
                max(0, repair.day - REPAIR_WINDOW_DAYS),
                repair.day + 1,
                REPAIR_GROWTH_M3_PER_H * explanations.flow_scale,
            )
            for repair in repairs
            if repair.day >= self._learning_days
        )
        self._days = state.days
        self._base = state.base
        self._values = state.values
        self._checkpoints = list(state.checkpoints)
        if state.current is not None:
            self._filter = self._with_components(state.current)
        else:
            self._replay(self._base)

    @property
    def day(self) -> int:
        """Number of the last day taken, -1 before the first."""
        return self._days - 1

    @property
    def state(self) -> LikelihoodState:
        """What is known now."""
        return LikelihoodState(
            self.reference,
            self._days,
            self._base,
            self._values,
            tuple(self.events),
            self.suspicion,
            self._filter.state,
            tuple(self._checkpoints),
        )

    @property
    def deviation(self) -> Floats:
        """Standard deviation of the daily channels without a leak (S)."""
        deviation: Floats = np.sqrt(np.diag(self._noise.fast) + np.diag(self._noise.slow))
        return deviation

    def take(self, values: Floats) -> None:
        """Take the channels of the next day (S) and judge what they say; NaN is missing.

        A day of which nothing is known is passed over without a judgement.
        """
        self.dropped = None
        self._days += 1
        self._values = np.concatenate([self._values, values[None]])
        self._step(values, self.day)
        if self.day >= self._learning_days and np.isfinite(values).any():
            for _ in range(_MOST_PER_DAY):
                changed_from = self._judge()
                if changed_from is None:
                    break
                self._rebuild(changed_from)
        self._add_up()
        self._forget_the_past()

    def active_leaks(self) -> list[int]:
        """Return the numbers of the leaks that run on the last day taken."""
        return [
            number
            for number, event in enumerate(self.events)
            if event.kind == "leak" and event.component.is_active(self.day)
        ]

    def flow_m3_per_h(self, number: int) -> float:
        """Return the flow of a running leak now, not below zero."""
        return max(float(self._filter.coefficients(self._component(number))[0][0]), 0.0)

    def effect(self, number: int) -> Floats:
        """Return what an event that lasts does to the channels now (S)."""
        return self._filter.effect(self._component(number))[0]

    # ------------------------------------------------------------------ the filter's way
    def _component(self, number: int) -> int:
        return len(self._repaired) + number

    def _with_components(self, state: FilterState | None) -> LeakFilter:
        parts = (*self._repaired, *(event.component for event in self.events))
        return LeakFilter(self._noise.fast, self._noise.slow, parts, state)

    def _step(self, values: Floats, until: int) -> None:
        """Take one day, gathering the evidence that will still count on the day `until`."""
        keep = _watched(until)
        day = self._filter.day + 1
        if day >= self._learning_days:
            for onset, slope in sorted(keep):
                if onset == day:
                    self._filter.watch(onset, slope_per_day=slope)
        self._filter.forget(keep)
        self._filter.step(values)
        if (day + 1) % CHECKPOINT_DAYS == 0:
            self._checkpoints.append(self._filter.state)

    def _replay(self, start: FilterState | None) -> None:
        """Go through the days after `start` again with what is known now."""
        self._filter = self._with_components(start)
        first = 0 if self._base is None else self._base.day + 1
        for day in range(self._filter.day + 1, self._days):
            self._step(self._values[day - first], self.day)

    def _rebuild(self, changed_from: int) -> None:
        """Go back to before the first day on which the filter is another one now."""
        self._checkpoints = [c for c in self._checkpoints if c.day < changed_from]
        start = self._checkpoints[-1] if self._checkpoints else self._base
        if start is not None and start.day >= changed_from:
            raise ValueError(f"nothing is kept of the days before {changed_from}")
        self._replay(start)

    def _forget_the_past(self) -> None:
        """Move the base up to where no event can reach back any more."""
        old = [c for c in self._checkpoints if c.day < self.day - _LONGEST_DAYS]
        if old:
            first = 0 if self._base is None else self._base.day + 1
            self._base = old[-1].without_evidence()
            self._values = self._values[self._base.day + 1 - first :]
            self._checkpoints = self._checkpoints[len(old) :]

    def _add_up(self) -> None:
        """Add the day to the volumes of running leaks; all days since the onset for a new one."""
        for number in self.active_leaks():
            event = self.events[number]
            days = self.day - event.onset + 1 if event.known_on == self.day else 1
            # To the milliliter: a filter that was stored and read again differs in the thirteenth
            # digit, which sums would carry on for years.
            lost = round(self.flow_m3_per_h(number) * _H_PER_DAY * days, 6)
            self.events[number] = replace(event, volume_m3=event.volume_m3 + lost)

    # ------------------------------------------------------------------ judgement
    def _judge(self) -> int | None:
        """Take the event that the evidence speaks for most; return from when it changes the filter.

        None where nothing alarms, the change is too small, or its place is not clear yet.
        """
        evidence, score = self._alarm()
        if evidence is None:
            self._drop_suspicion()
            return None
        effect, covariance = _estimate(evidence, self.day)
        place = self.explanations.place(effect, covariance)
        ended, ended_likelihood = self._ended(evidence, effect, covariance)
        fault, fault_likelihood = self.explanations.fault(effect, covariance)
        other = max(place.log_likelihood, ended_likelihood)
        if fault_likelihood > other + FAULT_MARGIN and self._is_one_direction(evidence, fault):
            self._drop_suspicion()
            component = self.explanations.fault_component(fault, evidence.onset)
            odds = np.exp(min(fault_likelihood - other, 700.0))
            self._add("fault", fault, evidence.onset, None, odds / (1 + odds), score, component)
            return evidence.onset
        if ended is not None and ended_likelihood > place.log_likelihood:
            self._drop_suspicion()
            event = self.events[ended]
            self.events[ended] = replace(
                event,
                component=replace(event.component, last_day=evidence.onset),
                ended_known_on=self.day,
                changed_on=self.day,
            )
            return evidence.onset
        if not self._is_reportable(evidence, place, effect, score):
            return None
        near = self._same_leak(place.pipe)
        if near is not None:
            self._drop_suspicion()
            event = self.events[near]
            self.events[near] = replace(
                event,
                component=event.component.growing(),
                growths=event.growths + 1,
                changed_on=self.day,
            )
            return event.onset
        component = self.explanations.leak_component(
            place.pipe, evidence.onset, place.flow_m3_per_h
        )
        self._add("leak", place.pipe, evidence.onset, place, place.chance, score, component)
        return evidence.onset

    def _is_reportable(
        self, evidence: Evidence, place: Place, effect: Floats, score: float
    ) -> bool:
        """Say whether a leak is large enough and its place clear enough, or waited for enough."""
        if place.flow_m3_per_h < self._smallest_m3_per_h:
            return False
        before = self.suspicion
        self.suspicion = Suspicion(
            before.hypothesis_id if before else self._name("leak", place.pipe, self.day),
            before.since if before else self.day,
            self.day,
            evidence.onset,
            place,
            score,
            effect,
        )
        waited = self.day - self.suspicion.since
        return (
            place.chance >= self.policy.chance_to_report or waited >= self.policy.longest_wait_days
        )

    def _drop_suspicion(self) -> None:
        if self.suspicion is not None and self.suspicion.since < self.day:
            self.dropped = self.suspicion
        self.suspicion = None

    def _is_one_direction(self, evidence: Evidence, fault: int) -> bool:
        """Say whether a fault alone explains nearly all of a change."""
        explained = float(ratios(evidence, self.explanations.faults[[fault]])[0][0])
        information = evidence.information + np.eye(len(evidence.score)) / _FREE_VARIANCE
        total = float(evidence.score @ np.linalg.solve(information, evidence.score))
        return abs(explained) >= FAULT_SHARE * total

    def _alarm(self) -> tuple[Evidence | None, float]:
        """Return the evidence with the largest ratio over the policy's alarm, and the ratio."""
        state = self._filter.state
        usable = [not (slope and onset == self.day) for onset, slope in state.watched]
        numbers = np.flatnonzero(usable)
        if not len(numbers):
            return None, self.policy.alarm
        information, scores = state.information[numbers], state.scores[numbers]
        growth = np.array([self._filter.growth(int(number)) for number in numbers])
        value, size = self.explanations.leak_bank.ratios(information, scores)
        large = size * growth[:, None] >= self._smallest_m3_per_h
        best = np.where(large, value, 0.0).max(axis=1)
        faults, _ = self.explanations.fault_bank.ratios(information, scores)
        best = np.maximum(best, np.abs(faults).max(axis=1))
        effects = [self._filter.effect(self._component(i))[0] for i in self.active_leaks()]
        if effects:
            is_step = np.array([state.watched[number][1] == 0 for number in numbers])
            value, size = Bank(-np.stack(effects)).ratios(information, scores)
            ended = np.where((size > 0.5) & is_step[:, None], value, 0.0).max(axis=1)
            best = np.maximum(best, ended)
        first = int(np.argmax(best))
        if best[first] <= self.policy.alarm:
            return None, self.policy.alarm
        return self._filter.evidence[numbers[first]], float(best[first])

    def _ended(
        self, evidence: Evidence, effect: Floats, covariance: Floats
    ) -> tuple[int | None, float]:
        """Return the leak whose end explains a change best, and its log likelihood."""
        best: tuple[int | None, float] = (None, -np.inf)
        for number in self.active_leaks():
            if evidence.onset <= self.events[number].onset + 1 or evidence.slope_per_day:
                continue
            mean, spread = self._filter.effect(self._component(number))
            spread = spread + covariance + np.diag((ENDING_MISMATCH * mean) ** 2)
            rest = effect + mean
            misfit = float(rest @ np.linalg.solve(spread, rest))
            likelihood = -(misfit + float(np.linalg.slogdet(spread)[1])) / 2
            if likelihood > best[1]:
                best = number, likelihood
        return best

    def _add(
        self,
        kind: Literal["leak", "fault"],
        index: int,
        onset: int,
        place: Place | None,
        probability: float,
        score: float,
        component: Component,
    ) -> None:
        waited = self.suspicion if kind == "leak" else None
        name = waited.hypothesis_id if waited else self._name(kind, index, self.day)
        self.suspicion = None
        if name in {event.hypothesis_id for event in self.events}:
            name += f"-{len(self.events)}"
        self.events.append(
            Event(
                name,
                kind,
                index,
                onset,
                waited.since if waited else self.day,
                self.day,
                place,
                float(probability),
                score,
                component,
                changed_on=self.day,
            )
        )

    def _same_leak(self, pipe: int) -> int | None:
        """Return a young leak within reach: what looks like another one is its growth."""
        away, reach_m = self.explanations.distance_m[pipe], self.explanations.reach_m[pipe]
        ages = {number: self.day - self.events[number].onset for number in self.active_leaks()}
        near = [
            number
            for number, age in ages.items()
            if age <= GROWTH_DAYS
            and self.events[number].growths < MOST_GROWTHS
            and away[self.events[number].index] <= (reach_m if age <= MIXED_DAYS else HIT_M)
        ]
        return min(near, key=lambda n: float(away[self.events[n].index]), default=None)


def _estimate(evidence: Evidence, day: int) -> tuple[Floats, Floats]:
    """Return an unknown effect as it is on a day (S), and its covariance (S × S)."""
    information = evidence.information + np.eye(len(evidence.score)) / _FREE_VARIANCE
    covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
    growth = evidence.growth(day)
    return growth * (covariance @ evidence.score), growth**2 * covariance


def _watched(day: int) -> set[tuple[int, float]]:
    """Return onset and slope of the evidence that counts on a day.

    Every onset of the last ten days, every third of the last thirty, every week of the last four
    months; ramps from a week on.
    """
    steps = {
        (onset, 0.0)
        for onset in range(max(0, day - _LONGEST_DAYS), day + 1)
        if day - onset < 10 or (day - onset < 30 and onset % 3 == 0) or onset % 7 == 0
    }
    ramps = {(onset, RAMP_PER_DAY) for onset, _ in steps if onset % 7 == 0}
    return steps | ramps
