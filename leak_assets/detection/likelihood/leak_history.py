"""The causal story of a network's leaks, day by day: found, grown, repaired, and faults beside.

Decisions only; their likelihoods are `hypotheses`, the arithmetic is `leak_filter`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .daily_channels import REFERENCE_DAYS, DailyChannels
from .hypotheses import HIT_M, Hypotheses, Place, ratios
from .leak_filter import GROWTH_DAYS, Component, Evidence, LeakFilter

Floats = NDArray[np.float64]

# Twice the log likelihood ratio at which a change is believed. By chance alone the best of 905
# pipes and 60 onsets stays below 30 in a thousand days; the rest is for what the noise model
# does not know.
ALARM = 40.0
# The smallest leak looked for, m3/h: the twin's slow departures look like leaks of up to 1.2.
SMALLEST_M3_PER_H = 2.5
# A crew that finds nothing costs 500 euro, a leak of 5 m3/h 96 euro a day: waiting for a better
# place pays for days, not for weeks.
CHANCE_TO_REPORT = 0.5
LONGEST_WAIT_DAYS = 10
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
_MOST_PER_DAY = 4
# Prior variance of an effect where nothing is measured, in units of the channels.
_FREE_VARIANCE = 1e6


@dataclass(frozen=True, eq=False)
class Event:
    """A believed change.

    Parameters
    ----------
    kind
        `leak` or `fault`.
    index
        Pipe or fault.
    onset
        First day of its effect.
    known_on
        Day with whose end it was believed.
    place
        Of a leak, as estimated then.
    component
        Its part in the filter; `last_day` set where it has ended.
    growths
        How often its growth was found to be faster than thought.
    """

    kind: str
    index: int
    onset: int
    known_on: int
    place: Place | None
    component: Component
    growths: int = 0


class LeakHistory:
    """Runs through the days and keeps the events believed so far.

    Parameters
    ----------
    channels
        Daily residuals of the twin.
    hypotheses
        What changes can be.
    repairs
        (pipe number, day of the repair) of leaks that a report tells of.
    """

    def __init__(
        self, channels: DailyChannels, hypotheses: Hypotheses, repairs: Sequence[tuple[int, int]]
    ) -> None:
        self.channels = channels
        self.hypotheses = hypotheses
        self.events: list[Event] = []
        self._reported = tuple(
            hypotheses.repaired_component(
                pipe, max(0, day - REPAIR_WINDOW_DAYS), day + 1, REPAIR_GROWTH_M3_PER_H
            )
            for pipe, day in repairs
        )
        self._filter = self._fresh()
        self._pending_since: int | None = None

    def run(self, progress: Callable[[int], None]) -> None:
        """Go through all days; `progress` gets the number of each."""
        for day in range(len(self.channels.days)):
            self._step(self._filter, day, day)
            if day >= REFERENCE_DAYS:
                self._judge(day)
            progress(day)

    def running(self, day: int) -> list[Event]:
        """Return the leaks believed by the end of a day that still run then.

        The filter must stand at that day.
        """
        return [
            event
            for event in self._active_leaks(day)
            if self._filter.coefficients(event.component)[0][0] >= SMALLEST_M3_PER_H
        ]

    def _fresh(self) -> LeakFilter:
        parts = (*self._reported, *(event.component for event in self.events))
        return LeakFilter(self.channels.fast, self.channels.slow, parts)

    def _step(self, filter_: LeakFilter, day: int, until: int) -> None:
        """Take one day, gathering the evidence that will still count on the day `until`."""
        keep = _watched(until)
        if day >= REFERENCE_DAYS:
            for onset, slope in keep:
                if onset == day:
                    filter_.watch(onset, slope_per_day=slope)
        filter_.forget(keep)
        filter_.step(self.channels.values[day])

    def _rebuild(self, day: int) -> None:
        """Go through the days again with what is known now."""
        self._filter = self._fresh()
        for past in range(day + 1):
            self._step(self._filter, past, day)

    def _judge(self, day: int) -> None:
        for _ in range(_MOST_PER_DAY):
            event = self._strongest(day)
            if event is None:
                return
            self._pending_since = None
            self._rebuild(day)

    def _strongest(self, day: int) -> Event | None:
        """Return the event that the evidence of a day speaks for most, now among `events`.

        None where nothing alarms, the change is too small, or its place is not clear yet.
        """
        evidence = self._alarm(day)
        if evidence is None:
            self._pending_since = None
            return None
        effect, covariance = _estimate(evidence, day)
        place = self.hypotheses.place(effect, covariance)
        ended, ended_likelihood = self._ended(evidence, effect, covariance)
        fault, fault_likelihood = self.hypotheses.fault(effect, covariance)
        other = max(place.log_likelihood, ended_likelihood)
        if fault_likelihood > other + FAULT_MARGIN and self._is_one_direction(evidence, fault):
            component = self.hypotheses.fault_component(fault, evidence.onset)
            return self._add(Event("fault", fault, evidence.onset, day, None, component))
        if ended is not None and ended_likelihood > place.log_likelihood:
            gone = replace(ended.component, last_day=evidence.onset)
            return self._replace(ended, replace(ended, component=gone))
        if not self._is_reportable(place, day):
            return None
        near = self._same_leak(place.pipe, day)
        if near is not None:
            faster = replace(near, component=near.component.growing(), growths=near.growths + 1)
            return self._replace(near, faster)
        component = self.hypotheses.leak_component(place.pipe, evidence.onset, place.flow_m3_per_h)
        return self._add(Event("leak", place.pipe, evidence.onset, day, place, component))

    def _is_reportable(self, place: Place, day: int) -> bool:
        """Say whether a leak is large enough and its place clear enough, or waited for enough."""
        if place.flow_m3_per_h < SMALLEST_M3_PER_H:
            return False
        if self._pending_since is None:
            self._pending_since = day
        waited = day - self._pending_since
        return place.chance >= CHANCE_TO_REPORT or waited >= LONGEST_WAIT_DAYS

    def _is_one_direction(self, evidence: Evidence, fault: int) -> bool:
        """Say whether a fault alone explains nearly all of a change."""
        explained = float(ratios(evidence, self.hypotheses.faults[[fault]])[0][0])
        information = evidence.information + np.eye(len(evidence.score)) / _FREE_VARIANCE
        total = float(evidence.score @ np.linalg.solve(information, evidence.score))
        return abs(explained) >= FAULT_SHARE * total

    def _alarm(self, day: int) -> Evidence | None:
        """Return the evidence with the largest ratio over `ALARM`."""
        best, found = ALARM, None
        effects = [self._filter.effect(e.component)[0] for e in self._active_leaks(day)]
        for evidence in self._filter.evidence:
            if evidence.onset == day and evidence.slope_per_day:
                continue
            value, size = ratios(evidence, self.hypotheses.leaks)
            large = size * evidence.growth(day) >= SMALLEST_M3_PER_H
            candidates = [float(np.where(large, value, 0.0).max())]
            candidates.append(float(np.abs(ratios(evidence, self.hypotheses.faults)[0]).max()))
            if effects and not evidence.slope_per_day:
                value, size = ratios(evidence, -np.stack(effects))
                candidates.append(float(np.where(size > 0.5, value, 0.0).max()))
            if max(candidates) > best:
                best, found = max(candidates), evidence
        return found

    def _active_leaks(self, day: int) -> list[Event]:
        return [e for e in self.events if e.kind == "leak" and e.component.is_active(day)]

    def _ended(
        self, evidence: Evidence, effect: Floats, covariance: Floats
    ) -> tuple[Event | None, float]:
        """Return the leak whose end explains a change best, and its log likelihood."""
        best: tuple[Event | None, float] = (None, -np.inf)
        for event in self._active_leaks(self._filter.day):
            if evidence.onset <= event.onset + 1 or evidence.slope_per_day:
                continue
            mean, spread = self._filter.effect(event.component)
            spread = spread + covariance + np.diag((ENDING_MISMATCH * mean) ** 2)
            rest = effect + mean
            misfit = float(rest @ np.linalg.solve(spread, rest))
            likelihood = -(misfit + float(np.linalg.slogdet(spread)[1])) / 2
            if likelihood > best[1]:
                best = event, likelihood
        return best

    def _add(self, event: Event) -> Event:
        self.events.append(event)
        return event

    def _same_leak(self, pipe: int, day: int) -> Event | None:
        """Return a young leak within reach: what looks like another one is its growth."""
        away = self.hypotheses.distance_m[pipe]
        young = [
            e
            for e in self._active_leaks(day)
            if day - e.onset <= GROWTH_DAYS and e.growths < MOST_GROWTHS
        ]
        near = [event for event in young if away[event.index] <= HIT_M]
        return min(near, key=lambda event: float(away[event.index]), default=None)

    def _replace(self, event: Event, changed: Event) -> Event:
        self.events[self.events.index(event)] = changed
        return changed


def _estimate(evidence: Evidence, day: int) -> tuple[Floats, Floats]:
    """Return an unknown effect as it stands on a day (S), and its covariance (S × S)."""
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
