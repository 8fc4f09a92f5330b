"""The causal story of a network's leaks, day by day: found, grown, repaired, and faults beside.

Decisions only. Each day all that is believed is estimated again from all days (`estimate`); what
people were told stays told.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leak_assets.features.half_hours import PER_DAY, ChannelReference

from .bursts import CONTEXT_DAYS, TwoDays
from .days import Days
from .estimate import Changes, Estimate
from .explanations import HIT_M, NEIGHBORHOOD_M, Explanations
from .fit import Fit
from .noise import Noise
from .placing import Placed
from .policy import LikelihoodPolicy
from .reported import MATCH_DAYS, Repair, ended_by, repair_of, repaired
from .rivals import Fault, best_end, best_fault, best_leak
from .state import Event, LikelihoodState, Singles, Suspicion, parts_of
from .timeline import courses
from .watch import Burst, bursts

Floats = NDArray[np.float64]

OPERATION = LikelihoodPolicy()
# Days that are kept: what is older is part of what a leak does all the time.
MEMORY_DAYS = 1100
_H_PER_DAY = 24.0
_MOST_PER_DAY, _MOST_PER_SEARCH = 4, 6
# Where a repaired leak that was not seen is looked for first.
_USUAL_REPAIR_DAYS, _USUAL_REPAIR_M3_PER_H = 30, 8.0
# A leak near a younger one is its growth where a better course of that one gains half as much.
YOUNG_DAYS, _GROWTH_SHARE = 130, 0.5
_FIRST_DAYS = 2
# A leak so near to one that people were told of lately is the same, which has grown at once: of
# such second calls on eight towns 33 of 43 were repetitions, of those later most were not.
_SAME_M, _SAME_DAYS = 100.0, 45
# Known leaks are gone through every week, all of them every fourth; what has no ground is dropped.
_WEEK_DAYS, _SWEEP_DAYS = 7, 28
_SETTLED_DAYS, _DROP_GAIN = 60, 5.0
_PRUNE_M3_PER_H, _PRUNE_DAYS = 1.0, 14
# Of what was seen within a day the days may say soon that it is over: a hydrant was open.
_SHORT_DAYS, _LONGER_DAYS = 2, 7
# A leak is told of when it has this part of the smallest one looked for beside all others.
_LEAST_TOLD_SHARE = 0.4
# A fault must explain a change so much better than a leak.
FAULT_MARGIN = 3.0
# A pressure that is off by less stays in use, and nobody is told: what leaks leave unexplained
# looks like that.
_SMALLEST_FAULT_M = 0.1
# Small steps together are a drift from here on: beside leaks some add up to 0.1 m.
_SMALLEST_DRIFT_M = 0.3
# People are told another place where it is likely, and so much likelier than the old one: a crew
# that finds nothing costs 500 euro, a leak of 5 m3/h that is looked for elsewhere 96 euro a day.
_NEW_CHANCE, _LEAST_GAIN = 0.5, 0.4

Kind = Literal["leak", "fault"]
# Names a hypothesis: kind, number of the pipe or fault, day, how many were named so before.
Name = Callable[[Kind, int, int, int], str]


@dataclass(frozen=True, eq=False)
class Told:
    """A leak as people were told of it within a day, with its effect on the channels (S)."""

    event: Event
    effect: Floats


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
        self.events = list(state.events)
        self.suspicion = state.suspicion
        # What was waited for and is no more, and what was told within the day.
        self.dropped: Suspicion | None = None
        self.told: list[Told] = []
        self._smallest_m3_per_h = policy.smallest_m3_per_h * explanations.flow_scale
        self._least_told_m3_per_h = _LEAST_TOLD_SHARE * self._smallest_m3_per_h
        self._name = name
        self._noise = Noise.of(self.reference)
        self._learning_days = (self.reference.days[-1] - self.reference.days[0]).days + 1
        self._repairs = [r for r in repairs if r.day >= self._learning_days]
        self._days = state.days
        self._values = state.values
        self._drivers = state.drivers
        self._half_hours: Singles = state.half_hours
        self._estimate: Estimate | None = None
        self._fitted: Fit | None = None

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
            self._values,
            self._drivers,
            self._half_hours,
            tuple(self.events),
            self.suspicion,
        )

    @property
    def deviation(self) -> Floats:
        """Standard deviation of the daily channels without a leak (S)."""
        return self._noise.deviation

    def watch(self, half_hours: Floats) -> None:
        """Judge the half-hours of the next day so far, and believe in the leaks that they show.

        Parameters
        ----------
        half_hours
            As of `features.channel_days.half_hours` (48 × W).
        """
        self.told = []
        context = self._half_hours
        is_known = len(context) == CONTEXT_DAYS and context.shape[2] == half_hours.shape[1]
        if self._days <= self._learning_days or not is_known:
            return
        usual = self.reference.usual[self.explanations.pressures :]
        seen = TwoDays.of(
            np.concatenate([context, half_hours[None]]),
            self._data.coordinates(self.events),
            self.explanations,
            self._noise,
            float(usual[0]) if len(usual) and usual[0] > 0 else 1.0,
        )
        if seen is None:
            return
        yesterday = self.day
        # Of what ended yesterday the half-hour is not known.
        ended = any(e.last_day == yesterday for e in self.events if not e.withdrawn)
        first = yesterday * PER_DAY
        begun = [
            step - first
            for event in self.events
            if event.began_at is not None and event.known_at is not None and not event.withdrawn
            for step in range(event.began_at, event.known_at + 1)
        ]
        found = bursts(
            seen,
            self.explanations,
            usual,
            [step for step in begun if step >= 0],
            self.policy,
            first=PER_DAY if ended else 0,
        )
        for burst in found:
            event = self._begun(burst, yesterday)
            self.events.append(event)
            self._fitted = None
            if event.known_on is not None:
                effect = np.zeros(len(self.reference.names))
                effect[seen.coordinates.channels] = seen.coordinates.back @ burst.effect
                self.told.append(Told(event, effect))

    def _new_name(self, kind: Kind, index: int, day: int) -> str:
        """Return a name that nothing else has: two changes of a day may be at one pipe."""
        waiting = (self.suspicion, self.dropped)
        taken = {event.hypothesis_id for event in self.events}
        taken |= {one.hypothesis_id for one in waiting if one is not None}
        names = (self._name(kind, index, day, count) for count in itertools.count())
        return next(name for name in names if name not in taken)

    def _begun(self, burst: Burst, yesterday: int) -> Event:
        """Return the leak that was seen within the day after a day."""
        today, place = yesterday + 1, burst.placed.place
        onset = yesterday + burst.began_at // PER_DAY
        began_at, known_at = (yesterday * PER_DAY + n for n in (burst.began_at, burst.known_at))
        repair = repair_of(self.events, self._repairs, yesterday, onset, burst.placed)
        if repair is not None:
            event = repaired(self._repairs, repair, onset, 1, place.flow_m3_per_h, yesterday)
            return replace(event, began_at=began_at, known_at=known_at)
        same = self._same(place.pipe)
        return Event(
            self._new_name("leak", place.pipe, today) if same is None else "",
            "leak",
            place.pipe,
            onset,
            1,
            None,
            today,
            today if same is None else None,
            place.flow_m3_per_h,
            pipe=place.pipe,
            place=place,
            probability=place.chance,
            score=2 * burst.placed.gain,
            part_of=same,
            changed_on=today,
            began_at=began_at,
            known_at=known_at,
        )

    def take(self, values: Floats, drivers: Floats, half_hours: Floats | None = None) -> None:
        """Take the channels of the next day (S) and judge what they say; NaN is missing.

        A day of which nothing is known is passed over without a judgement.

        Parameters
        ----------
        drivers
            What moved them (`features.channel_days.daily_drivers`).
        half_hours
            As of `watch`, None where there is none.
        """
        self.dropped, self.told = None, []
        if half_hours is not None:
            self.watch(half_hours)
        self._keep(half_hours)
        self._days += 1
        kept = slice(-MEMORY_DAYS + 1, None)
        self._values = np.concatenate([self._values[kept], values[None]])
        self._drivers = np.concatenate([self._drivers[kept], self._as_known(drivers)[None]])
        self._estimate = self._fitted = None
        if self.day < self._learning_days or not np.isfinite(values).any():
            return
        self._match_repairs()
        if self.day % _WEEK_DAYS == 0:
            self._review()
        if self.day % _SWEEP_DAYS == 0:
            self._sweep()
        for _ in range(_MOST_PER_DAY):
            if not self._judge(of_all_days=self.day % _WEEK_DAYS == 0):
                break
        self._drop_what_was_short()
        self._settle()

    def _as_known(self, drivers: Floats) -> Floats:
        """Return drivers as on the days before; days of another layout tell nothing."""
        width = self._drivers.shape[1]
        return drivers if len(drivers) == width else np.full(width, np.nan)

    def _keep(self, half_hours: Floats | None) -> None:
        """Keep the half-hours of a day; days of another layout tell nothing."""
        before = self._half_hours
        if half_hours is None:
            half_hours = np.full(before.shape[1:], np.nan)
        if half_hours.shape != before.shape[1:]:
            before = np.zeros((0, *half_hours.shape), np.float32)
        kept = [*before[-CONTEXT_DAYS + 1 :], half_hours.astype(np.float32)]
        self._half_hours = np.stack(kept)

    def active_leaks(self) -> list[int]:
        """Return the numbers of the leaks that people know of and that run on the last day."""
        return [
            number
            for number, event in enumerate(self.events)
            if event.kind == "leak" and event.known_on is not None and event.is_active(self.day)
        ]

    def flow_m3_per_h(self, number: int) -> float:
        """Return the flow of a running leak now."""
        parts = (self.events[part] for part in self._parts(number))
        return sum(event.size * self._grown(event) for event in parts)

    def effect(self, number: int) -> Floats:
        """Return what an event that lasts does to the channels now (S)."""
        event = self.events[number]
        if event.kind == "fault":
            out: Floats = event.sign * event.size * self.explanations.faults[event.index]
            return out
        return self._data.on_channels(self.events, self._effect(number, self._fit()))

    # ------------------------------------------------------------------ estimates
    @property
    def _data(self) -> Estimate:
        if self._estimate is None:
            first = self._days - len(self._values)
            days = Days.of(self._values, self._drivers, self.reference, first)
            running = self._known_effects(days)
            self._estimate = Estimate(days, self.explanations, self._noise, running)
        return self._estimate

    def _known_effects(self, days: Days) -> Floats | None:
        """Return what the leaks that are believed in do to the pressures (N × S')."""
        leaks = [e for e in self.events if e.kind == "leak" and not e.withdrawn]
        if not leaks:
            return None
        last = [None if e.last_day is None else e.last_day - days.first for e in leaks]
        parts = [
            (e.onset - days.first, e.growth_days, gone) for e, gone in zip(leaks, last, strict=True)
        ]
        flows = courses(len(days.values), parts) * [e.size for e in leaks]
        pressures = self.explanations.pressures
        effects = self.explanations.leaks[[e.pipe for e in leaks], :pressures]
        zones = self.explanations.zone_of_pressures
        return np.asarray(days.load[:, zones] * (flows @ effects), dtype=np.float64)

    def _fit(self) -> Fit:
        """Fit all that is believed, and keep the sizes."""
        if self._fitted is None:
            self._fitted = self._data.fit(self.events)
            fitted = self._data.fitted(self.events)
            for number, size in zip(fitted, self._fitted.sizes, strict=True):
                self.events[number] = replace(self.events[number], size=float(size))
        return self._fitted

    def _change(self, number: int, **changes: Any) -> None:
        self.events[number] = replace(self.events[number], changed_on=self.day, **changes)
        self._fitted = None

    def _grown(self, event: Event) -> float:
        if event.growth_days == 1:
            return float(self.day >= event.onset)
        return float(np.clip((self.day - event.onset) / event.growth_days, 0.0, 1.0) ** 2)

    def _parts(self, number: int) -> list[int]:
        """Return the numbers of a leak and of its sudden growths."""
        return parts_of(self.events, number)

    def _effect(self, number: int, fitted: Fit) -> Floats:
        """Return what a leak does to the coordinates now (J)."""
        place = {event: row for row, event in enumerate(self._data.fitted(self.events))}
        leaks = self._data.coordinates(self.events).leaks
        effects = [
            # Of one that began today only its signature is known.
            fitted.effects[place[i]] if i in place else one.size * leaks[one.pipe]
            for i in self._parts(number)
            for one in (self.events[i],)
        ]
        grown = [self._grown(self.events[i]) for i in self._parts(number)]
        return np.asarray(np.tensordot(grown, effects, axes=1), dtype=np.float64)

    def _running(self) -> list[int]:
        return [
            number
            for number, event in enumerate(self.events)
            if event.kind == "leak" and not event.withdrawn and event.last_day is None
        ]

    # ------------------------------------------------------------------ judgement
    def _judge(self, *, of_all_days: bool) -> bool:
        """Take the change that the evidence speaks for most; say whether anything is new.

        It is not where nothing alarms, the change is too small, or its place is not clear yet.
        """
        fitted = self._fit()
        changes = self._data.changes(self.events, fitted, of_all_days=of_all_days)
        if changes is None:
            return False
        fault, of_fault = self._best_fault(changes)
        ended, of_end = self._best_end(changes, fitted)
        leak, of_leak = self._best_leak(changes)
        if of_fault < max(of_end, of_leak) + FAULT_MARGIN:
            fault, of_fault = None, -np.inf
        gain = max(of_fault, of_end, of_leak)
        if 2 * gain <= self.policy.alarm:
            self._drop_suspicion()
            return False
        if ended is not None and of_end >= gain:
            number, onset = ended
            for part in self._parts(number):
                self._change(part, last_day=onset, ended_known_on=self.day)
            return True
        if fault is not None and of_fault >= gain:
            self._add_fault(fault, of_fault, max(of_end, of_leak))
            return True
        if leak is None:
            return False
        return self._take_leak(changes, *leak)

    def _best_fault(self, changes: Changes) -> tuple[Fault | None, float]:
        return best_fault(
            changes,
            self._data.coordinates(self.events).faults,
            self.explanations,
            self.reference.usual[self.explanations.pressures :],
            [e.index for e in self.events if e.kind == "fault" and e.known_on is not None],
        )

    def _best_end(self, changes: Changes, fitted: Fit) -> tuple[tuple[int, int] | None, float]:
        running = [number for number in self._running() if self.events[number].part_of is None]
        return best_end(
            changes, [(n, self.events[n].onset, self._effect(n, fitted)) for n in running]
        )

    def _best_leak(self, changes: Changes) -> tuple[tuple[int, Placed] | None, float]:
        data, events = self._data, self.events
        return best_leak(
            changes,
            data.coordinates(events).leaks,
            lambda number: data.placed(events, changes, number),
            self._smallest_m3_per_h,
        )

    def _add_fault(self, found: Fault, gain: float, other: float) -> None:
        fault, size = found.index, found.size
        self._drop_suspicion()
        odds = float(np.exp(min(gain - max(other, 0.0), 700.0)))
        # A drift is seen as small steps: together they are a fault, and no longer steps.
        steps = [
            number
            for number, event in enumerate(self.events)
            if event.kind == "fault" and event.index == fault and not event.withdrawn
        ]
        moved = size + sum(self.events[number].sign * self.events[number].size for number in steps)
        is_drift = abs(moved) >= _SMALLEST_DRIFT_M
        is_large = fault >= self.explanations.pressures or abs(size) >= _SMALLEST_FAULT_M
        is_told = is_large or is_drift
        if is_told:
            size = moved
            for number in steps:
                self._change(number, withdrawn=True)
        self.events.append(
            Event(
                self._new_name("fault", fault, self.day) if is_told else "",
                "fault",
                fault,
                found.onset,
                1,
                None,
                self.day,
                self.day if is_told else None,
                abs(size),
                sign=1.0 if size >= 0 else -1.0,
                probability=odds / (1 + odds),
                score=2 * gain,
                changed_on=self.day,
            )
        )
        self._fitted = None

    def _take_leak(self, changes: Changes, number: int, placed: Placed) -> bool:
        """Believe in a leak, or wait for a better place; say whether anything is new."""
        onset, growth_days = changes.starts[number]
        repair = repair_of(self.events, self._repairs, self.day, onset, placed)
        if repair is not None:
            size = placed.place.flow_m3_per_h
            event = repaired(self._repairs, repair, onset, growth_days, size, self.day)
            self.events.append(event)
            self._improve(len(self.events) - 1, moves=False)
            return True
        if placed.place.flow_m3_per_h < self._smallest_m3_per_h:
            self._drop_suspicion()
            return False
        if self._was_later() or self._has_grown(placed):
            self._drop_suspicion()
            return True
        effect = self._data.effect(self.events, changes.information[number], changes.score[number])
        return self._report(onset, growth_days, placed, effect)

    def _has_grown(self, placed: Placed) -> bool:
        """Say whether a better course of a young leak nearby explains a change as well."""
        near = [
            number
            for number in self._running()
            if self._may_be(self.events[number], placed.place.pipe)
        ]
        if not near:
            return False
        before, events = self._fit().log_likelihood, list(self.events)
        for number in near:
            self._improve(number, moves=True)
        if self._fit().log_likelihood - before > _GROWTH_SHARE * placed.gain:
            return True
        self.events, self._fitted = events, None
        return False

    def _was_later(self) -> bool:
        """Say whether nothing new is seen once a beginning or end lately was a day later.

        On the day on which it begins or ends a leak runs for a part of the day only: on the next
        it looks larger than it was, as if another one had begun; and what is left of it on the
        day of its end looks like a smaller one.
        """
        events = list(self.events)
        for number, event in enumerate(events):
            if event.part_of is not None:
                continue
            later = {part: self._a_day_later(events[part]) for part in self._parts(number)}
            if not any(later.values()):
                continue
            for part, one in later.items():
                self.events[part] = one or events[part]
            self._fitted = None
            changes = self._data.changes(self.events, self._fit(), of_all_days=False)
            if changes is None or 2 * self._best_leak(changes)[1] <= self.policy.alarm:
                return True
            self.events, self._fitted = list(events), None
        return False

    def _a_day_later(self, event: Event) -> Event | None:
        """Return a leak that began or ended lately, later; None where that cannot be."""
        if event.kind != "leak" or event.withdrawn:
            return None
        ended, recent = event.ended_known_on, self.day - _FIRST_DAYS
        if event.last_day is None:
            is_new = recent <= event.first_seen < self.day and event.onset < event.first_seen
            is_new &= event.growth_days == 1
            return replace(event, onset=event.first_seen) if is_new else None
        is_over = ended is not None and ended >= recent and event.last_day < ended
        return replace(event, last_day=ended) if is_over else None

    def _may_be(self, event: Event, pipe: int) -> bool:
        """Say whether what is seen at a pipe may be a young leak that was taken for another.

        On its first day a leak looks smaller than it is, and may lie anywhere.
        """
        if event.first_seen >= self.day - _FIRST_DAYS:
            return True
        away = self.explanations.distance_m[event.pipe, pipe]
        return self.day - event.onset <= YOUNG_DAYS and bool(away <= NEIGHBORHOOD_M)

    def _report(self, onset: int, growth_days: int, placed: Placed, effect: Floats) -> bool:
        """Report a leak whose place is clear enough, or waited for long enough."""
        place, before = placed.place, self.suspicion
        waiting = Suspicion(
            before.hypothesis_id if before else self._new_name("leak", place.pipe, self.day),
            before.since if before else self.day,
            self.day,
            onset,
            place,
            2 * placed.gain,
            effect,
        )
        waited = self.day - waiting.since
        if place.chance < self.policy.chance_to_report and waited < self.policy.longest_wait_days:
            self.suspicion = waiting
            return False
        self.suspicion = None
        same = self._same(place.pipe)
        self.events.append(
            Event(
                "" if same is not None else waiting.hypothesis_id,
                "leak",
                place.pipe,
                onset,
                growth_days,
                None,
                waiting.since,
                self.day if same is None else None,
                place.flow_m3_per_h,
                pipe=place.pipe,
                place=place,
                probability=place.chance,
                score=2 * placed.gain,
                part_of=same,
                changed_on=self.day,
            )
        )
        self._fitted = None
        self._fit()
        if same is None and self.events[-1].size < self._least_told_m3_per_h:
            # Something is there, but beside the others it has no flow: nobody would find it.
            self._change(len(self.events) - 1, known_on=None)
        if self.events[-1].known_on is None and before is not None and before.since < self.day:
            self.dropped = before
        return True

    def _same(self, pipe: int) -> int | None:
        """Return the leak of which people were told lately beside a pipe, or None."""
        away = self.explanations.distance_m[pipe]
        near = [
            number
            for number in self.active_leaks()
            if away[self.events[number].pipe] <= _SAME_M
            and self.day - (self.events[number].known_on or 0) <= _SAME_DAYS
        ]
        return min(near, key=lambda number: away[self.events[number].pipe], default=None)

    def _drop_suspicion(self) -> None:
        if self.suspicion is not None and self.suspicion.since < self.day:
            self.dropped = self.suspicion
        self.suspicion = None

    # ------------------------------------------------------------------ going over it again
    def _improve(self, number: int, *, moves: bool) -> float | None:
        """Give a leak the course, and the place, that explain the days best; return its gain."""
        better = self._data.better(self.events, number, moves=moves)
        if better is None:
            return None
        self.events[number] = better.event
        self._fitted = None
        return better.gain

    def _withdraw(self, number: int) -> None:
        known = self.events[number].known_on is not None
        ended = self.day if known else None
        for part in self._parts(number):
            self._change(part, withdrawn=True, last_day=self.day, ended_known_on=ended)

    def _review(self) -> None:
        """Go over the young leaks; take back those of which nothing is left."""
        self._fit()
        for number, event in enumerate(self.events):
            is_over = event.last_day is not None and event.last_day <= self.day - _WEEK_DAYS
            if event.kind == "fault" or event.withdrawn or is_over:
                continue
            if self.day - event.onset <= YOUNG_DAYS:
                self._improve(number, moves=event.repair is None)
        self._fit()
        least = _PRUNE_M3_PER_H * self.explanations.flow_scale
        for number in self._running():
            event = self.events[number]
            if event.size < least and self.day - event.onset > _PRUNE_DAYS:
                better = self._data.better(self.events, number, moves=False)
                # Small, but without it the days would be explained worse: it would be found again.
                if better is None or better.gain < _DROP_GAIN:
                    self._withdraw(number)

    def _drop_what_was_short(self) -> None:
        """Take back bursts of which the days after show nothing."""
        self._fit()
        least = _PRUNE_M3_PER_H * self.explanations.flow_scale
        for number in self._running():
            event = self.events[number]
            is_due = _SHORT_DAYS <= self.day - event.onset <= _LONGER_DAYS
            if event.known_at is not None and is_due and event.size < least:
                self._withdraw(number)

    def _sweep(self) -> None:
        """Go over all leaks, the smallest first; drop what has no ground, look for more."""
        self._fit()
        leaks = [n for n in self._data.fitted(self.events) if self.events[n].kind == "leak"]
        for number in sorted(leaks, key=lambda n: self.events[n].size):
            event = self.events[number]
            is_settled = event.last_day is not None and event.last_day < self.day - _SETTLED_DAYS
            if is_settled and event.repair is None:
                continue
            gain = self._improve(number, moves=event.repair is None)
            if gain is not None and event.repair is None and gain < _DROP_GAIN:
                self._withdraw(number)
        for _ in range(_MOST_PER_SEARCH):
            if not self._judge(of_all_days=True):
                break

    def _match_repairs(self) -> None:
        """Give each reported repair of some days ago the leak that it ended."""
        for number, repair in enumerate(self._repairs):
            taken = any(e.repair == number and not e.withdrawn for e in self.events)
            if self.day == repair.day + MATCH_DAYS and not taken:
                self._match(number)

    def _match(self, number: int) -> None:
        """Take the likeliest of: a leak that is believed in was this one, or one not seen yet."""
        before = list(self.events)
        options = ended_by(before, self._repairs, number, self.day)
        onset = max(self._learning_days, self._repairs[number].day - _USUAL_REPAIR_DAYS)
        size = _USUAL_REPAIR_M3_PER_H * self.explanations.flow_scale
        self.events = [*before, repaired(self._repairs, number, onset, 1, size, self.day)]
        self._improve(len(self.events) - 1, moves=False)
        options.append(self.events)
        # Options are compared on the same days.
        mixed = frozenset[int]().union(*(Estimate.mixed(option) for option in options))
        likely = [self._data.fit(option, mixed).log_likelihood for option in options]
        self.events, self._fitted = options[int(np.argmax(likely))], None

    def _settle(self) -> None:
        """Add up losses, and tell of another place where the old one has lost its chance."""
        self._fit()
        for number in self._running():
            self._tell_of_what_grew(number)
        for number in self.active_leaks():
            self._let_largest_part_stand(number)
        for number, event in enumerate(self.events):
            if event.kind == "fault" or event.known_on is None or event.withdrawn:
                continue
            newer = event
            if event.is_active(self.day):
                # What was said to be lost stays said: a loss that fell would be an error to people.
                lost = event.volume_m3 + self._lost_today_m3(number)
                newer = replace(event, volume_m3=round(lost, 6))
            is_new = self.day - event.known_on <= _SWEEP_DAYS
            is_due = self.day % (_WEEK_DAYS if is_new else _SWEEP_DAYS) == 0
            if is_due and self._is_elsewhere(newer):
                newer = replace(newer, index=newer.pipe, changed_on=self.day)
            self.events[number] = newer

    def _tell_of_what_grew(self, number: int) -> None:
        """Tell of a leak that had no flow beside the others when it was seen, and has now."""
        event = self.events[number]
        is_untold = event.known_on is None and event.repair is None and event.part_of is None
        if is_untold and self.flow_m3_per_h(number) >= self._smallest_m3_per_h:
            name = self._new_name("leak", event.pipe, self.day)
            self._change(number, known_on=self.day, index=event.pipe, hypothesis_id=name)
            self._fit()

    def _let_largest_part_stand(self, number: int) -> None:
        """Let a leak have course and place of its largest part: the others are its growths."""
        parts = self._parts(number)
        largest = max(parts, key=lambda i: self.events[i].size * self._grown(self.events[i]))
        if largest == number:
            return
        names = ("pipe", "place", "onset", "growth_days", "size")
        one, other = self.events[number], self.events[largest]
        self.events[number] = replace(one, **{name: getattr(other, name) for name in names})
        self.events[largest] = replace(other, **{name: getattr(one, name) for name in names})
        # The fit has them in the order of before.
        self._fitted = None

    def _lost_today_m3(self, number: int) -> float:
        """Return what a leak lost today; all since its onset where people hear of it today."""
        event = self.events[number]
        if event.known_on != self.day:
            return _H_PER_DAY * self.flow_m3_per_h(number)
        if event.began_at is not None:
            return event.size * (self._days * PER_DAY - event.began_at) * _H_PER_DAY / PER_DAY
        days = np.arange(event.onset, self._days)
        share = np.clip((days - event.onset) / event.growth_days, 0.0, 1.0) ** 2
        return float(_H_PER_DAY * event.size * share.sum())

    def _is_elsewhere(self, event: Event) -> bool:
        """Say whether a leak must be somewhere else than people were told, where no other is."""
        place, away = event.place, self.explanations.distance_m
        if place is None or place.chance < _NEW_CHANCE or not event.is_active(self.day):
            return False
        left = sum(share for pipe, share in place.candidates if away[event.index][pipe] <= HIT_M)
        if away[event.index][event.pipe] <= HIT_M or place.chance - left < _LEAST_GAIN:
            return False
        others = [self.events[number] for number in self.active_leaks()]
        told = [one.index for one in others if one.hypothesis_id != event.hypothesis_id]
        return not any(away[event.pipe][pipe] <= _SAME_M for pipe in told)
