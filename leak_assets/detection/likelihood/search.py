"""Better sets of leaks: what may stand for one another is taken out and found anew together.

Decisions taken one after the other keep early errors: a repaired leak with the course of another,
two leaks for one. Which sets are asked for, and what people are told of it, is `history`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .courses import better_course
from .estimate import Changes, Estimate
from .explanations import HIT_M, Explanations
from .placing import Placed
from .state import Event

# Log likelihood that a leak must bring: what alarms (15), and about ten for its pipe, size and
# course, which are chosen to fit best.
LEAK_CHARGE = 25.0
_LEAST_GAIN = 15.0
# A set is taken for another one from this gain on.
_MARGIN = 1.0
# A leak that ended so many days from a reported repair may be the repaired one.
_REPAIR_DAYS, _REPAIR_M = 3, 600.0

# Gives the best new leak that the rest of the days speaks for, with its number and gain.
BestLeak = Callable[[Sequence[Event], Changes], tuple[tuple[int, Placed] | None, float]]


@dataclass(frozen=True, eq=False)
class Search:
    """Looks for sets of leaks that explain the days better, or as well with fewer.

    Parameters
    ----------
    estimate
        What the days say.
    explanations
        Of the network.
    best_leak
        Best new leak beside some events.
    """

    estimate: Estimate
    explanations: Explanations
    best_leak: BestLeak

    def better(self, events: Sequence[Event], number: int) -> list[Event] | None:
        """Return the events with the leaks about one found anew, None where none are better.

        Leaks keep their numbers; those that are not needed are withdrawn, new ones come last.
        """
        near = self.near(events, number)
        best: tuple[float, list[Event]] | None = None
        options = [self._anew(events, near, ended_first=first) for first in (False, True)]
        options += self._repaired(events, near)
        for option in options:
            gain = self._gain(events, option)
            if best is None or gain > best[0]:
                best = gain, option
        return best[1] if best is not None and best[0] > _MARGIN else None

    def near(self, events: Sequence[Event], number: int) -> list[int]:
        """Return the numbers of the leaks that may stand for one: near it, at the same time."""
        one, away = events[number], self.explanations.distance_m[events[number].pipe]
        fitted = {n for n in self.estimate.fitted(events) if events[n].kind == "leak"}
        if number not in fitted:
            return []
        found = {n for n in fitted if away[events[n].pipe] <= HIT_M and _overlap(one, events[n])}
        # Parts go with the leak that has grown.
        found |= {p for n in found if (p := events[n].part_of) is not None}
        found |= {n for n, e in enumerate(events) if e.part_of in found and not e.withdrawn}
        return sorted(found & fitted)

    def _gain(self, before: Sequence[Event], after: Sequence[Event]) -> float:
        """Return the gain in log likelihood on the same days, leaks charged for."""
        same_days = Estimate.mixed(before) | Estimate.mixed(after)
        values = [
            self.estimate.fit(events, same_days).log_likelihood - LEAK_CHARGE * _charged(events)
            for events in (before, after)
        ]
        return values[1] - values[0]

    def _anew(
        self, events: Sequence[Event], near: Sequence[int], *, ended_first: bool
    ) -> list[Event]:
        """Return the events with some leaks taken out and found anew."""
        out = list(events)
        for number in near:
            out[number] = replace(out[number], withdrawn=True)
        today = self.estimate.today
        ended = [n for n in near if (last := events[n].last_day) is not None and last <= today]
        if not ended_first:
            out = self._with_new(out, len(near))
        for number in ended:
            # Its end is known: it has a course until then, or was never there.
            out[number] = replace(events[number], part_of=None)
            gain = self._improve(out, number)
            if events[number].repair is None and (gain is None or gain < _LEAST_GAIN):
                out[number] = replace(events[number], withdrawn=True)
        out = self._with_new(out, len(near) + 1)
        mine = [n for n in (*ended, *range(len(events), len(out))) if not out[n].withdrawn]
        for _ in range(2):
            for number in mine:
                gain = self._improve(out, number)
                is_charged = out[number].repair is None
                if is_charged and (gain is None or gain < _LEAST_GAIN):
                    out[number] = replace(out[number], withdrawn=True)
            mine = [n for n in mine if not out[n].withdrawn]
        return out

    def _with_new(self, events: list[Event], most: int) -> list[Event]:
        """Return events with new leaks as long as the days speak for them."""
        out = list(events)
        for _ in range(most):
            changes = self.estimate.changes(out, self.estimate.fit(out), of_all_days=True)
            if changes is None:
                break
            found, gain = self.best_leak(out, changes)
            if found is None or gain <= _LEAST_GAIN:
                break
            number, placed = found
            onset, growth_days = changes.starts[number]
            out.append(
                _new(onset, growth_days, placed, float(changes.growth[number]), self.estimate.today)
            )
            self._improve(out, len(out) - 1)
        return out

    def _repaired(self, events: Sequence[Event], near: Sequence[int]) -> list[list[Event]]:
        """Return the events with leaks that ended by themselves as those that were repaired."""
        options = []
        for number in near:
            repaired = events[number]
            if repaired.repair is None or repaired.last_day is None:
                continue
            away = self.explanations.distance_m[repaired.pipe]
            for other, event in enumerate(events):
                is_one = event.kind == "leak" and not event.withdrawn and event.part_of is None
                if not is_one or event.repair is not None or away[event.pipe] > _REPAIR_M:
                    continue
                late = (
                    event.last_day is None
                    or abs(event.last_day - repaired.last_day) <= _REPAIR_DAYS
                )
                if not late or event.onset >= repaired.last_day - 1:
                    continue
                out = list(events)
                out[number] = replace(repaired, withdrawn=True)
                out[other] = replace(
                    event,
                    pipe=repaired.pipe,
                    last_day=repaired.last_day,
                    repair=repaired.repair,
                    size=event.size + repaired.size,
                )
                self._improve(out, other)
                options.append(out)
                # What it was taken for until now may run on.
                swapped = list(out)
                swapped[number] = replace(repaired, repair=None, last_day=None)
                for which in (number, other, number):
                    gain = self._improve(swapped, which)
                if gain is not None and gain >= _LEAST_GAIN:
                    options.append(swapped)
        return options

    def _improve(self, events: list[Event], number: int) -> float | None:
        """Give a leak its best course, and place where it may move; return its gain."""
        one = events[number]
        found = better_course(self.estimate, events, number, moves=one.repair is None)
        if found is None:
            return None
        events[number] = found.event
        return found.gain


def _overlap(one: Event, other: Event) -> bool:
    """Say whether two leaks run at the same time."""
    first, second = sorted((one, other), key=lambda event: event.onset)
    return first.last_day is None or first.last_day > second.onset


def _charged(events: Sequence[Event]) -> int:
    """Return the number of leaks of which no report tells."""
    return sum(e.kind == "leak" and not e.withdrawn and e.repair is None for e in events)


def _new(onset: float, growth_days: float, placed: Placed, growth: float, today: int) -> Event:
    """Return a leak of which nobody was told."""
    place = placed.place
    return Event(
        "",
        "leak",
        place.pipe,
        onset,
        growth_days,
        None,
        today,
        None,
        place.flow_m3_per_h / max(growth, 1e-3),
        pipe=place.pipe,
        place=place,
        probability=place.chance,
        score=2 * placed.gain,
        changed_on=today,
    )
