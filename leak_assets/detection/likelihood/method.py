"""The likelihood method as a detector: days of half-hour channels in, hypotheses out.

The seam to the other methods; what is decided and how is in `history` and below.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Literal

import numpy as np

from leak_assets.detection.detector import Findings, Observed
from leak_assets.detection.hypothesis import Contribution, Hypothesis, Status, hypothesis_id
from leak_assets.features.channel_days import daily_drivers, daily_values, half_hours
from leak_assets.features.half_hours import (
    HALF_HOUR,
    M3_PER_H,
    PER_DAY,
    ChannelReference,
    Floats,
)

from .explanations import Explanations, Place
from .history import History
from .policy import LikelihoodPolicy
from .reported import Repair
from .responses import Responses
from .state import METHOD, Event, LikelihoodState, Suspicion, from_bytes, made_for, to_bytes

VERSION = "4"
CHANNELS = "features.channels_30m"
REFERENCES = "features.channel_references"
FULL_COPY_DAYS = 8
TOP_SENSORS = 10


@dataclass(frozen=True)
class LikelihoodDetector:
    """Leaks of a network, estimated from all its days and watched for by the half-hour.

    Parameters
    ----------
    network
        Name of the network.
    load
        Gives what leaks do to sensors, when it is needed first; None where nobody computed it,
        and then the days are passed over.
    repairs
        Pipe and day of leaks that a report tells of.
    provenance
        Names model and layout; a state of others is refused.
    reference_is_named
        Whether somebody said which days are leak-free.
    policy
        When a change is believed, and a leak reported.
    """

    network: str
    load: Callable[[], Responses | None] = field(repr=False)
    repairs: Sequence[tuple[str, date]] = ()
    provenance: str = ""
    reference_is_named: bool = False
    policy: LikelihoodPolicy = field(default_factory=LikelihoodPolicy)

    method = METHOD
    version = VERSION

    def start(self) -> LikelihoodState:
        """Return the state before the first day: the network is learning."""
        return LikelihoodState()

    def step(self, state: LikelihoodState, observed: Observed) -> tuple[LikelihoodState, Findings]:
        """Take a day of `features.channels_30m` with its `features.channel_references`.

        Of a day that is not over yet only what began at once is told, and the state stays; a day
        that never came is passed over. New reference days begin a new story: what ran until then
        has ended, for somebody said that the network is leak-free on them.
        """
        reference = ChannelReference.from_frame(observed.tables[REFERENCES])
        if reference is None:
            return state, Findings()
        rows = observed.tables[CHANNELS]
        values = daily_values(rows, reference)
        is_known = state.reference is not None and state.reference.same_as(reference)
        if values is None and (rows.is_empty() or not is_known):
            return state, Findings()
        if self._loaded is None:
            return state, Findings(
                messages=(
                    f"{self.network} has no leak signatures, so {observed.day} is not searched for"
                    f" leaks; run `leak-assets signatures --network {self.network}`",
                )
            )
        last = state.last_day
        if last is not None and observed.day <= last:
            raise ValueError(f"{observed.day} was taken already: the state is of {last}")
        ended: list[Hypothesis] = []
        messages: list[str] = []
        if is_known and state.reference is not None:
            reference = state.reference
        else:
            ended = self._all_ended(state, reference, observed.day)
            state = _begun(reference)
            messages.append(self._what_is_taken_for_granted(reference))
        drivers = daily_drivers(rows, reference)
        unknown = np.full(len(drivers), np.nan)
        if state.days == 0:
            state = replace(state, drivers=np.zeros((0, len(drivers))))
        history = self._history(state, reference)
        if state.days == 0:
            for day in _days(reference.days[0], reference.days[-1]):
                known = day in reference.days
                values_then = (
                    reference.daily[reference.days.index(day)] if known else _nothing(reference)
                )
                history.take(values_then, unknown)
        for _ in range(history.day + 1, (observed.day - reference.days[0]).days):
            history.take(_nothing(reference), unknown)
        within = half_hours(rows, reference)
        if values is None:
            history.watch(within)
            return state, Findings(self._told(history))
        history.take(values, drivers, within)
        found = [*ended, *self._told(history), *self._hypotheses(history)]
        return history.state, Findings(found, messages)

    def is_checkpoint(self, before: LikelihoodState, after: LikelihoodState) -> bool:
        """Say whether it is the eighth day or one whose events would take long to find again."""
        if after.days == before.days:
            return False
        changed = before.reference is not after.reference or any(
            event.changed_on == after.days - 1 and event.known_on == after.days - 1
            for event in after.events
        )
        return changed or after.days % FULL_COPY_DAYS == 0

    def day(self, state: LikelihoodState) -> date | None:
        """Return the last day taken in."""
        return state.last_day

    def summary(self, state: LikelihoodState) -> dict[str, Any]:
        """Return counts of what is known."""
        if state.reference is None:
            return {"phase": "learning"}
        last = state.days - 1
        running = [e for e in state.events if e.known_on is not None and e.is_active(last)]
        return {
            "phase": "watching",
            "reference_first_day": state.reference.days[0].isoformat(),
            "reference_last_day": state.reference.days[-1].isoformat(),
            "channels": len(state.reference.names),
            "running_leaks": sum(e.kind == "leak" for e in running),
            "sensor_faults": sum(e.kind == "fault" for e in running),
            "events": len(state.events),
            "waits_for_place": state.suspicion is not None,
        }

    def to_bytes(self, state: LikelihoodState) -> bytes:
        """Return the state exactly."""
        return to_bytes(state, self._belongs_to)

    def from_bytes(self, content: bytes) -> LikelihoodState:
        """Return the state that `to_bytes` gave; InputError where it belongs elsewhere."""
        return from_bytes(content, self._belongs_to)

    @cached_property
    def _belongs_to(self) -> str:
        repairs = json.dumps([(pipe, day.isoformat()) for pipe, day in self.repairs])
        return made_for(self.network, self.provenance, repairs)

    @cached_property
    def _loaded(self) -> Responses | None:
        return self.load()

    @property
    def _responses(self) -> Responses:
        if self._loaded is None:
            raise ValueError(f"{self.network} has no leak signatures")
        return self._loaded

    @cached_property
    def _known_explanations(self) -> dict[tuple[str, ...], Explanations]:
        return {}

    def _explanations(self, reference: ChannelReference) -> Explanations:
        known = self._known_explanations
        if reference.names not in known:
            known[reference.names] = self._responses.explanations(reference)
        return known[reference.names]

    def _history(self, state: LikelihoodState, reference: ChannelReference) -> History:
        first = reference.days[0]
        pipes = {name: number for number, name in enumerate(self._responses.pipes)}
        repairs = [
            Repair(pipes[pipe], (day - first).days) for pipe, day in self.repairs if pipe in pipes
        ]
        explanations = self._explanations(reference)

        def name(kind: Literal["leak", "fault"], index: int, day: int, before: int) -> str:
            element = self._element(kind, index, reference) + "'" * before
            which: Literal["leak", "sensor_fault"] = "leak" if kind == "leak" else "sensor_fault"
            return hypothesis_id(self.network, METHOD, which, _end_of(first, day), element)

        return History(state, explanations, repairs, name, self.policy)

    def _element(self, kind: str, index: int, reference: ChannelReference) -> str:
        return self._responses.pipes[index] if kind == "leak" else reference.names[index]

    def _what_is_taken_for_granted(self, reference: ChannelReference) -> str:
        first, last = reference.days[0], reference.days[-1]
        said = f"{self.network}: {first} to {last} are taken as leak-free"
        if self.reference_is_named:
            return f"{said}, as its settings say"
        return (
            f"{said}, its first complete days; a leak that runs then stays hidden. Name other"
            f" days with `leak-assets networks register --reference-first-day`"
        )

    # ------------------------------------------------------------------ rows
    def _hypotheses(self, history: History) -> list[Hypothesis]:
        """Return what lives at the end of the day, and what ended with it."""
        out = []
        running = set(history.active_leaks())
        for number, event in enumerate(history.events):
            if event.kind == "fault":
                if event.known_on is not None:
                    out.append(self._row(history, event, "reported", history.effect(number)))
            elif number in running:
                flow = history.flow_m3_per_h(number)
                out.append(self._row(history, event, "reported", history.effect(number), flow))
            elif event.ended_known_on == history.day and _was_told(history, event):
                out.append(self._row(history, event, "ended", None, 0.0))
        if history.suspicion is not None and history.suspicion.seen_on == history.day:
            out.append(self._suspected(history, history.suspicion, "watched"))
        if history.dropped is not None:
            out.append(self._suspected(history, history.dropped, "ended"))
        return out

    def _told(self, history: History) -> list[Hypothesis]:
        """Return what people are told within the day, as it was known then."""
        first = history.reference.days[0]
        out = []
        for told in history.told:
            event = told.event
            if event.known_at is None or event.began_at is None:
                continue
            at = _half_hour(first, event.known_at)
            if at == _end_of(first, history.day):
                # The day's own row says the same.
                continue
            ran = at - _half_hour(first, event.began_at)
            newer = replace(event, volume_m3=event.size * ran / timedelta(hours=1))
            row = self._row(history, newer, "reported", told.effect, event.size)
            out.append(replace(row, at=at, last_updated_at=at))
        return out

    def _row(
        self,
        history: History,
        event: Event,
        status: Status,
        effect: Floats | None,
        flow: float | None = None,
    ) -> Hypothesis:
        first = history.reference.days[0]
        gone = event.last_day
        known_at = None if event.known_at is None else _half_hour(first, event.known_at)
        return Hypothesis(
            hypothesis_id=event.hypothesis_id,
            at=_end_of(first, history.day),
            kind="leak" if event.kind == "leak" else "sensor_fault",
            status=status,
            element_id=self._element(event.kind, event.index, history.reference),
            onset_at=(
                _begin_of(first, _shown_onset(event))
                if event.began_at is None
                else _half_hour(first, event.began_at)
            ),
            first_seen_at=known_at or _end_of(first, event.first_seen),
            reported_at=None
            if event.known_on is None
            else known_at or _end_of(first, event.known_on),
            ended_at=None if gone is None else _begin_of(first, gone),
            last_updated_at=_end_of(first, event.changed_on),
            flow_m3_per_h=flow,
            volume_m3=event.volume_m3 if event.kind == "leak" else None,
            probability=event.probability,
            score=event.score,
            candidates=self._candidates(event.place),
            evidence=() if effect is None else self._evidence(history, effect),
        )

    def _suspected(self, history: History, one: Suspicion, status: Status) -> Hypothesis:
        first = history.reference.days[0]
        at = _end_of(first, history.day)
        flow = one.place.flow_m3_per_h if status == "watched" else 0.0
        return Hypothesis(
            hypothesis_id=one.hypothesis_id,
            at=at,
            kind="leak",
            status=status,
            element_id=self._responses.pipes[one.place.pipe],
            onset_at=_begin_of(first, one.onset),
            first_seen_at=_end_of(first, one.since),
            reported_at=None,
            ended_at=None if status == "watched" else at,
            last_updated_at=at,
            flow_m3_per_h=flow,
            volume_m3=one.place.flow_m3_per_h * 24.0 * (history.day - one.onset + 1),
            probability=one.place.chance,
            score=one.score,
            candidates=self._candidates(one.place),
            evidence=self._evidence(history, one.effect),
        )

    def _candidates(self, place: Place | None) -> list[tuple[str, float]]:
        found = () if place is None else place.candidates
        return [(self._responses.pipes[pipe], share) for pipe, share in found]

    def _evidence(self, history: History, effect: Floats) -> list[Contribution]:
        """Return the sensors that a change moves most, in their own deviations."""
        part = effect / history.deviation
        strongest = np.argsort(-np.abs(part), kind="stable")[:TOP_SENSORS]
        out = []
        for i in strongest:
            quantity, _, sensor = history.reference.names[i].partition("/")
            unit = M3_PER_H if quantity == "balance" else 1.0
            out.append(Contribution(sensor, quantity, float(part[i]), float(effect[i] / unit)))
        return out

    def _all_ended(
        self, state: LikelihoodState, reference: ChannelReference, day: date
    ) -> list[Hypothesis]:
        """Return the end of all that ran when days were named that are leak-free."""
        if state.reference is None:
            return []
        history = self._history(state, state.reference)
        at = datetime.combine(day, time(), UTC) + timedelta(days=1)
        leak_free = datetime.combine(reference.days[0], time(), UTC)
        rows = self._hypotheses(history)
        return [
            Hypothesis(
                **{
                    **vars(one),
                    "at": at,
                    "status": "ended",
                    "ended_at": max(leak_free, one.onset_at),
                    "last_updated_at": at,
                    "flow_m3_per_h": None if one.flow_m3_per_h is None else 0.0,
                }
            )
            for one in rows
            if one.status != "ended"
        ]


def _was_told(history: History, event: Event) -> bool:
    """Say whether people heard of an event before the end of the day."""
    if event.known_on is None:
        return False
    return event.known_on < history.day or (
        event.known_at is not None and event.known_at < (history.day + 1) * PER_DAY
    )


def _shown_onset(event: Event) -> int:
    """Return the day on which people are told that it began.

    A sudden change that is seen on a single day began on it or in the night before.
    """
    return event.onset + (event.onset == event.first_seen - 1)


def _begun(reference: ChannelReference) -> LikelihoodState:
    return LikelihoodState(reference, values=np.zeros((0, len(reference.names))))


def _nothing(reference: ChannelReference) -> Floats:
    return np.full(len(reference.names), np.nan)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _begin_of(first: date, day: int) -> datetime:
    return datetime.combine(first + timedelta(days=day), time(), UTC)


def _half_hour(first: date, number: int) -> datetime:
    return datetime.combine(first, time(), UTC) + number * HALF_HOUR


def _end_of(first: date, day: int) -> datetime:
    return _begin_of(first, day + 1)
