"""The course, and the place, with which a known leak explains the days best.

How leaks begin and grow; whether one is believed is `history`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .estimate import (
    GROWTH_PENALTY,
    GROWTHS_DAYS,
    LEAST_DAYS_OF_GROWTH,
    Changes,
    Estimate,
    charged,
    start_of,
)
from .fit import Fit
from .placing import at_pipe, place
from .state import Event

Floats = NDArray[np.float64]

# How far the onset of a known leak is looked for before and after where it was.
_EARLIER_DAYS, _LATER_DAYS, _CLOSE_DAYS = 60, 45, 7
# Before a reported repair: how long the leak may have run.
REPAIR_WINDOW_DAYS = 130
# Of the courses whose fixed directions fit best, so many are judged in full.
_JUDGED = 5
# Between those of the grid, growing courses are looked for by steps of these days: of 18 m3/h that
# grow for 36 days a course that is 10 % off leaves as much as a leak of its own.
_STEPS_DAYS = (4.0, 2.0, 1.0, 0.5, 0.25)
_MOST_STEPS = 3
# Onset and growth, in steps; the first is to stay.
_MOVES = (
    *((0, 0), (-1, 1), (1, -1), (0, 1), (0, -1), (1, 0), (-1, 0)),
    *((-1, 2), (1, -2), (-2, 1), (2, -1)),
)
_LEAST_GROWTH_DAYS = 2.0


@dataclass(frozen=True, eq=False)
class Better:
    """A course, and where it is looked for a place, that explain the days best.

    Parameters
    ----------
    event
        The leak with the new course and place.
    gain
        Log likelihood ratio to the leak not being there.
    """

    event: Event
    gain: float


def better_course(
    estimate: Estimate, events: Sequence[Event], number: int, *, moves: bool
) -> Better | None:
    """Return the course that explains the days best with all other events kept.

    Parameters
    ----------
    number
        Of the leak among the events.
    moves
        Whether its place is looked for anew.
    """
    event = events[number]
    others = [replace(one, withdrawn=True) if one is event else one for one in events]
    # With the days that are mixtures because of it left out: else its end would be explained.
    fitted = estimate.fit(others, estimate.mixed(events))
    asked = _Asked(estimate, events, fitted)
    grid = {float(growth): _onsets_about(estimate, event, growth) for growth in GROWTHS_DAYS}
    found = asked.of_courses(event, grid, of_whole_days=True)
    if found is None:
        return None
    best = asked.best(event, found, moves=moves)
    if best is None or best.event.growth_days == 1:
        return best
    return asked.refined(best)


@dataclass(frozen=True, eq=False)
class _Asked:
    """The days, with the other events fitted, asked for the courses of a leak."""

    estimate: Estimate
    events: Sequence[Event]
    fitted: Fit

    def of_courses(
        self, event: Event, grid: Mapping[float, Floats], *, of_whole_days: bool
    ) -> Changes | None:
        """Return the evidence for courses of a leak, onsets by growth in days, None without any.

        While a leak runs, those that begin with a day are had fast.
        """
        coordinates, timeline, _ = self.estimate.seen(self.events, frozenset())
        first, last = self.estimate.days.first, event.last_day
        is_over = last is not None and last <= self.estimate.today
        starts: list[tuple[float, float]] = []
        information, score = [], []
        for growth_days, onsets in grid.items():
            if not len(onsets):
                continue
            if of_whole_days and not is_over:
                whole = onsets.astype(np.int64)
                columns = timeline.beginnings(whole - first, growth_days)
                starts += [start_of(int(onset), growth_days) for onset in whole]
            else:
                end = last - first if is_over and last is not None else None
                columns = timeline.courses_until(onsets - first, growth_days, end)
                starts += [(onset, growth_days) for onset in onsets.tolist()]
            known_of, said = self.fitted.evidence(coordinates, columns)
            information.append(known_of)
            score.append(said)
        if not starts:
            return None
        return Changes(
            np.concatenate(information), np.concatenate(score), tuple(starts), np.ones(len(starts))
        )

    def best(self, event: Event, found: Changes, *, moves: bool) -> Better | None:
        """Return the best of some courses."""
        coordinates = self.estimate.coordinates(self.events)
        explanations = self.estimate.explanations
        directions = coordinates.leaks if moves else coordinates.leaks[[event.pipe]]
        value = found.ratios(directions)[0].max(axis=1)
        best: Better | None = None
        for number in np.argsort(-value, kind="stable")[:_JUDGED]:
            onset, growth_days = found.starts[number]
            evidence = found.information[number], found.score[number]
            newer = replace(event, onset=onset, growth_days=growth_days)
            if moves:
                placed = charged(place(coordinates, explanations, *evidence), growth_days)
                where, gain = placed.place, placed.gain
                newer = replace(newer, pipe=where.pipe, place=where, size=where.flow_m3_per_h)
            else:
                gain, size = at_pipe(coordinates, explanations, event.pipe, *evidence)
                gain -= GROWTH_PENALTY * (growth_days > 1)
                newer = replace(newer, size=size)
            if best is None or gain > best.gain:
                best = Better(newer, gain)
        return best

    def refined(self, best: Better) -> Better:
        """Return the course between those of the grid that explains the days best, at its pipe."""
        one, gained = best.event, 0.0
        for step in _STEPS_DAYS:
            for _ in range(_MOST_STEPS):
                newer, gain = self._stepped(one, step)
                if newer is one:
                    break
                one, gained = newer, gained + gain
        return Better(one, best.gain + gained)

    def _stepped(self, one: Event, step: float) -> tuple[Event, float]:
        """Return a growing leak with the best of the courses a step away, and the gain by that."""
        coordinates = self.estimate.coordinates(self.events)
        grid: dict[float, Floats] = {}
        for later, longer in _MOVES:
            growth_days, onset = one.growth_days + step * longer, one.onset + step * later
            if growth_days >= _LEAST_GROWTH_DAYS and onset >= self.estimate.days.first:
                grid[growth_days] = np.append(grid.get(growth_days, np.empty(0)), onset)
        found = self.of_courses(one, grid, of_whole_days=False)
        if found is None:
            return one, 0.0
        judged = [
            at_pipe(coordinates, self.estimate.explanations, one.pipe, information, score)
            for information, score in zip(found.information, found.score, strict=True)
        ]
        here = found.starts.index((one.onset, one.growth_days))
        number = max(range(len(judged)), key=lambda n: (judged[n][0], n == here))
        if number == here:
            return one, 0.0
        onset, growth_days = found.starts[number]
        newer = replace(one, onset=onset, growth_days=growth_days, size=judged[number][1])
        return newer, judged[number][0] - judged[here][0]


def _onsets_about(estimate: Estimate, event: Event, growth_days: float) -> Floats:
    """Return the days on which a leak with some growth may have begun."""
    days, about = estimate.days, int(event.onset)
    first, last = max(days.learned - 1, days.first, about - _EARLIER_DAYS), estimate.today - 1
    if event.last_day is not None:
        last = min(last, event.last_day - 2)
    if event.repair is not None and event.last_day is not None:
        first = max(days.learned - 1, days.first, event.last_day - REPAIR_WINDOW_DAYS)
    least = 0 if growth_days == 1 else LEAST_DAYS_OF_GROWTH - 1
    return np.array(
        [
            day
            for day in range(first, min(last, about + _LATER_DAYS) + 1)
            if (abs(day - about) < _CLOSE_DAYS or day % 4 == 0) and last - day >= least
        ],
        dtype=np.float64,
    )
