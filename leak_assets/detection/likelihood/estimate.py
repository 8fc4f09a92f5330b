"""The days as evidence: prepared once a day, then asked for fits, changes and better courses.

Questions to the data and their answers; what is believed because of them is `history`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .coordinates import Coordinates
from .days import Days
from .explanations import Explanations
from .fit import Fit, Known, fit
from .noise import Noise
from .placing import Placed, at_pipe, place
from .state import Event
from .timeline import Timeline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Growth of leaks that is looked for, days until they are whole; 1 is sudden.
GROWTHS_DAYS = (1, 10, 20, 35, 60, 90)
# A growing leak shows its growth after this many days only.
_LEAST_DAYS_OF_GROWTH = 5
# Log prior of a growing leak against a sudden one, over its many possible courses.
GROWTH_PENALTY = 2.0
# Beginnings that are weighed each day: all of the last days, fewer of those longer ago.
_ALL_OF_DAYS, _SECOND_OF_DAYS, _FOURTH_OF_DAYS, _SIXTH = 12, 60, 160, 6
# How far the onset of a known leak is looked for before and after where it was.
_EARLIER_DAYS, _LATER_DAYS, _CLOSE_DAYS = 60, 45, 7
# Before a reported repair: how long the leak may have run.
REPAIR_WINDOW_DAYS = 130
# What leaks do differs from what is reckoned by this part, from day to day: head losses of leaks
# that run at once do not add up. Of 0, 2, 4 and 8 % the days of a town of the other generator are
# likeliest with 2, its true leaks taken as known.
INEXACT = 0.02
# Of the courses whose fixed directions fit best, so many are judged in full.
_JUDGED = 5


@dataclass(frozen=True, eq=False)
class Changes:
    """Evidence for something new that began on some day and has not ended.

    Parameters
    ----------
    information, score
        Of an effect at its full size (O × J).
    starts
        Onset and growth in days (O).
    growth
        Part of the full size now (O).
    """

    information: Floats
    score: Floats
    starts: tuple[tuple[int, int], ...]
    growth: Floats

    @property
    def is_sudden(self) -> NDArray[np.bool_]:
        """Which begin at once (O)."""
        return np.array([days == 1 for _, days in self.starts])

    def ratios(self, directions: Floats) -> tuple[Floats, Floats]:
        """Return twice the log likelihood ratio of fixed directions (O × N), signed, and sizes."""
        known = self.information @ (directions**2).T
        score = self.score @ directions.T
        size = np.divide(score, known, out=np.zeros(score.shape), where=known > 0)
        return size * score * np.sign(size), size


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


class Estimate:
    """What the days so far say.

    Parameters
    ----------
    days
        Daily values and what is known of the days.
    explanations, noise
        Of the network.
    running
        What all known leaks together do to the pressures (N × S'), None where there are none.
    """

    def __init__(
        self,
        days: Days,
        explanations: Explanations,
        noise: Noise,
        running: Floats | None = None,
    ) -> None:
        self.days = days
        self.explanations = explanations
        self._noise = noise
        self._running = running
        self._timelines: dict[tuple[object, ...], tuple[Timeline, Floats]] = {}

    @property
    def today(self) -> int:
        """Number of the last day."""
        return self.days.last

    # ------------------------------------------------------------------ fits
    def coordinates(self, events: Iterable[Event]) -> Coordinates:
        """Return the coordinates of the channels that can be believed."""
        lost = {e.index for e in events if e.kind == "fault" and e.known_on is not None}
        count = self.explanations.pressures
        used = [i for i in self.days.usable if i not in lost]
        if not any(i < count for i in used):
            used = list(self.days.usable)
        return Coordinates.of(self.explanations, self._noise, tuple(used))

    def _seen(
        self, events: Sequence[Event], more: frozenset[int]
    ) -> tuple[Coordinates, Timeline, Floats]:
        """Return coordinates, the days but those of sudden changes, and their white values."""
        coordinates = self.coordinates(events)
        masked = self.mixed(events) | more
        local = frozenset(d - self.days.first for d in masked if d >= self.days.first)
        local |= self.days.empty
        key = (tuple(coordinates.channels), local)
        if key not in self._timelines:
            scatter = self._scatter(coordinates)
            timeline = Timeline(self.days.load, local, coordinates.groups, scatter)
            values = self.days.values[:, coordinates.channels] @ coordinates.turn.T
            self._timelines[key] = timeline, timeline.white(values)
        return coordinates, *self._timelines[key]

    def _scatter(self, coordinates: Coordinates) -> Floats:
        """Return by how much noise is wider on days on which leaks do much (N × G)."""
        out = np.ones((len(self.days.values), len(coordinates.groups)))
        if self._running is None:
            return out
        count = sum(g.part.stop - g.part.start for g in coordinates.groups if g.is_pressure)
        turned = self._running[:, coordinates.channels[:count]] @ coordinates.turn[:count, :count].T
        for number, group in enumerate(coordinates.groups):
            if group.is_pressure:
                square = (turned[:, group.part] ** 2).mean(axis=1)
                out[:, number] = np.sqrt(1 + INEXACT**2 * square)
        return out

    @staticmethod
    def mixed(events: Iterable[Event]) -> frozenset[int]:
        """Return the days on which a known event began or ended within the day."""
        live = [event for event in events if not event.withdrawn]
        begun = {event.onset for event in live if event.growth_days == 1}
        return frozenset(begun | {e.last_day for e in live if e.last_day is not None})

    def fitted(self, events: Sequence[Event]) -> list[int]:
        """Return the numbers of the events that are fitted.

        A pressure sensor of which people were told is left out: nothing is left to be fitted. So
        is a sudden leak that began today: the day is a mixture.
        """
        count = self.explanations.pressures
        return [
            number
            for number, event in enumerate(events)
            if not event.withdrawn
            and not (event.kind == "fault" and event.index < count and event.known_on is not None)
            and not (event.kind == "leak" and event.growth_days == 1 and event.onset >= self.today)
        ]

    def fit(self, events: Sequence[Event], more: frozenset[int] = frozenset()) -> Fit:
        """Return all events that are believed, fitted together, in their order."""
        coordinates, timeline, white = self._seen(events, more)
        known = [self._known(events[number]) for number in self.fitted(events)]
        return fit(
            coordinates,
            timeline,
            white,
            known,
            self.days.disturbances,
            self.explanations.flow_scale,
        )

    def _known(self, event: Event) -> Known:
        first = self.days.first
        last = None if event.last_day is None else event.last_day - first
        index = event.pipe if event.kind == "leak" else event.index
        return Known(
            event.kind, index, event.sign, event.onset - first, event.growth_days, last, event.size
        )

    # ------------------------------------------------------------------ changes
    def changes(self, events: Sequence[Event], fitted: Fit, *, of_all_days: bool) -> Changes | None:
        """Return the evidence for something new, None before there is any."""
        coordinates, timeline, _ = self._seen(events, frozenset())
        starts: list[tuple[int, int]] = []
        information, score = [], []
        for growth_days in GROWTHS_DAYS:
            onsets = self._onsets(growth_days, of_all_days=of_all_days)
            if not len(onsets):
                continue
            columns = timeline.beginnings(onsets - self.days.first, growth_days)
            known, said = fitted.evidence(coordinates, columns)
            information.append(known)
            score.append(said)
            starts += [(int(onset), growth_days) for onset in onsets]
        if not starts:
            return None
        growth = np.array([min((self.today - o) / days, 1.0) ** 2 for o, days in starts])
        return Changes(np.concatenate(information), np.concatenate(score), tuple(starts), growth)

    def _onsets(self, growth_days: int, *, of_all_days: bool) -> Ints:
        today, first = self.today, max(self.days.learned - 1, self.days.first)
        least = 1 if growth_days == 1 else _LEAST_DAYS_OF_GROWTH
        return np.array(
            [
                day
                for day in range(first, today - least + 1)
                if today - day < _ALL_OF_DAYS
                or (today - day < _SECOND_OF_DAYS and day % 2 == 0)
                or (today - day < _FOURTH_OF_DAYS and day % 4 == 0)
                or (of_all_days and day % _SIXTH == 0)
            ],
            dtype=np.int64,
        )

    def placed(self, events: Sequence[Event], changes: Changes, number: int) -> Placed:
        """Return the leak that explains a change; its gain is charged for a growing course."""
        found = place(
            self.coordinates(events),
            self.explanations,
            changes.information[number],
            changes.score[number],
            float(changes.growth[number]),
        )
        return _charged(found, changes.starts[number][1])

    def effect(self, events: Sequence[Event], information: Floats, score: Floats) -> Floats:
        """Return an effect on the channels (S), zero on those that are not believed."""
        return self.on_channels(events, score / information)

    def on_channels(self, events: Sequence[Event], turned: Floats) -> Floats:
        """Return what a vector of the coordinates is in the channels (S)."""
        coordinates = self.coordinates(events)
        out = np.zeros(self.explanations.leaks.shape[1])
        out[coordinates.channels] = coordinates.back @ turned
        return out

    # ------------------------------------------------------------------ better courses
    def better(self, events: Sequence[Event], number: int, *, moves: bool) -> Better | None:
        """Return the course that explains the days best with all other events kept.

        Parameters
        ----------
        number
            Of the leak among the events.
        moves
            Whether its place is looked for anew.
        """
        event = events[number]
        others = [replace(event, withdrawn=True) if e is event else e for e in events]
        # With the days that are mixtures because of it left out: else its end would be explained.
        fitted = self.fit(others, self.mixed(events))
        coordinates, timeline, _ = self._seen(events, frozenset())
        starts: list[tuple[int, int]] = []
        information, score = [], []
        for growth_days in GROWTHS_DAYS:
            onsets = self._onsets_about(event, growth_days)
            if not len(onsets):
                continue
            local = onsets - self.days.first
            if event.last_day is None or event.last_day > self.today:
                columns = timeline.beginnings(local, growth_days)
            else:
                last = event.last_day - self.days.first
                columns = timeline.courses_until(local, growth_days, last)
            known_of, said = fitted.evidence(coordinates, columns)
            information.append(known_of)
            score.append(said)
            starts += [(int(onset), growth_days) for onset in onsets]
        if not starts:
            return None
        found = Changes(
            np.concatenate(information), np.concatenate(score), tuple(starts), np.ones(len(starts))
        )
        return self._best_course(coordinates, event, found, moves=moves)

    def _onsets_about(self, event: Event, growth_days: int) -> Ints:
        first = max(self.days.learned - 1, self.days.first, event.onset - _EARLIER_DAYS)
        last = self.today - 1
        if event.last_day is not None:
            last = min(last, event.last_day - 2)
        if event.repair is not None and event.last_day is not None:
            first = max(self.days.learned - 1, self.days.first, event.last_day - REPAIR_WINDOW_DAYS)
        least = 0 if growth_days == 1 else _LEAST_DAYS_OF_GROWTH - 1
        return np.array(
            [
                day
                for day in range(first, min(last, event.onset + _LATER_DAYS) + 1)
                if (abs(day - event.onset) < _CLOSE_DAYS or day % 4 == 0) and last - day >= least
            ],
            dtype=np.int64,
        )

    def _best_course(
        self, coordinates: Coordinates, event: Event, found: Changes, *, moves: bool
    ) -> Better | None:
        directions = coordinates.leaks if moves else coordinates.leaks[[event.pipe]]
        value = found.ratios(directions)[0].max(axis=1)
        best: Better | None = None
        for number in np.argsort(-value, kind="stable")[:_JUDGED]:
            onset, growth_days = found.starts[number]
            evidence = found.information[number], found.score[number]
            course = {"onset": onset, "growth_days": growth_days}
            if moves:
                placed = _charged(place(coordinates, self.explanations, *evidence), growth_days)
                where = placed.place
                gain = placed.gain
                newer = replace(
                    event, **course, pipe=where.pipe, place=where, size=where.flow_m3_per_h
                )
            else:
                gain, size = at_pipe(coordinates, self.explanations, event.pipe, *evidence)
                gain -= GROWTH_PENALTY * (growth_days > 1)
                newer = replace(event, **course, size=size)
            if best is None or gain > best.gain:
                best = Better(newer, gain)
        return best


def _charged(found: Placed, growth_days: int) -> Placed:
    """Return a placed leak whose gain is charged for the choice of a growing course."""
    if growth_days == 1:
        return found
    gain = found.gain - GROWTH_PENALTY
    return replace(found, gain=gain)
