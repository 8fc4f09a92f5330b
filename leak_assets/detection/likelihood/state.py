"""What the likelihood method knows after a day, and how that is kept.

Facts only; what follows from a further day is `history`.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.features.half_hours import ChannelReference

from .explanations import Place

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

METHOD = "likelihood"
# Of the serialized state: another one is refused.
FORMAT = 3
_REFERENCE = ("factor", "usual", "covariance", "daily")
_AGAIN = "Materialize the detection of the network again from its first day"


@dataclass(frozen=True, eq=False)
class Event:
    """A believed change; days are numbers since the state's first day.

    Parameters
    ----------
    hypothesis_id
        Its name; empty for a leak that is known from a report of repairs alone.
    kind
        A leak, or a fault of a sensor or zone meter.
    index
        Pipe or fault, as told to people.
    onset, growth_days, last_day
        Its course: first day, days until it is whole (1: sudden), day on which it was gone.
    first_seen, known_on
        Days with whose end it was suspected, and told to people (None: it is not told).
    size
        Of a leak: m3/h when it is whole; of a fault: units of its direction.
    sign
        Of a fault's effect.
    pipe
        Where the leak is held to be now; what people were told changes only with good reason.
    place
        Of a leak: the newest estimate.
    probability, score
        Of the explanation, and twice the log likelihood ratio, as they were when it was seen.
    repair
        Number of the reported repair that ended it.
    part_of
        Number of the leak whose sudden growth it is.
    ended_known_on
        Day with whose end its end was believed.
    withdrawn
        It is believed no more: other leaks explain the days better.
    changed_on
        Day of its last change.
    volume_m3
        Of a leak: loss since its onset.
    began_at, known_at
        Of a leak that was seen within a day: half-hours since the first day's begin, of its own
        begin and of when it was told.
    """

    hypothesis_id: str
    kind: Literal["leak", "fault"]
    index: int
    onset: int
    growth_days: int
    last_day: int | None
    first_seen: int
    known_on: int | None
    size: float
    sign: float = 1.0
    pipe: int = -1
    place: Place | None = None
    probability: float = 0.0
    score: float = 0.0
    repair: int | None = None
    part_of: int | None = None
    ended_known_on: int | None = None
    withdrawn: bool = False
    changed_on: int = 0
    volume_m3: float = 0.0
    began_at: int | None = None
    known_at: int | None = None

    def is_active(self, day: int) -> bool:
        """Say whether it is there on a day, as far as is known."""
        gone = self.last_day is not None and day >= self.last_day
        return not self.withdrawn and self.onset <= day and not gone


def parts_of(events: Sequence[Event], number: int) -> list[int]:
    """Return the numbers of a leak and of its sudden growths."""
    return [
        part
        for part, event in enumerate(events)
        if part == number or (event.part_of == number and not event.withdrawn)
    ]


@dataclass(frozen=True, eq=False)
class Suspicion:
    """A change that is sure, but not its place: waiting for a better one.

    Parameters
    ----------
    hypothesis_id
        Its name, kept when it becomes an event.
    since, seen_on
        Days with whose end it was first and last seen as large enough.
    onset, place, score, effect
        As of the day `seen_on`; `effect` on the channels (S).
    """

    hypothesis_id: str
    since: int
    seen_on: int
    onset: int
    place: Place
    score: float
    effect: Floats


@dataclass(frozen=True, eq=False)
class LikelihoodState:
    """The method after a day.

    Parameters
    ----------
    reference
        Channels without a leak; None before the reference days are over.
    days
        Number of days taken in since the first reference day.
    values
        Daily channels of the newest days (D × S); older ones are forgotten.
    drivers
        What moved them on the same days (`features.channel_days.daily_drivers`, D × R).
    half_hours
        Of the last days (`features.channel_days.half_hours`, at most 8 × 48 × W).
    events
        All that was believed, in that order.
    suspicion
        What waits for a better place.
    """

    reference: ChannelReference | None = None
    days: int = 0
    values: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    drivers: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    half_hours: Singles = field(default_factory=lambda: np.zeros((0, 48, 0), np.float32))
    events: tuple[Event, ...] = ()
    suspicion: Suspicion | None = None

    @property
    def first_day(self) -> date | None:
        """The first reference day."""
        return None if self.reference is None else self.reference.days[0]

    @property
    def last_day(self) -> date | None:
        """The last day taken in."""
        first = self.first_day
        return None if first is None else first + timedelta(days=self.days - 1)


def made_for(*parts: str) -> str:
    """Return a short name of all that a state belongs to: network, sensors, repairs."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def to_bytes(state: LikelihoodState, belongs_to: str) -> bytes:
    """Return the state exactly, as an uncompressed npz: the same state gives the same bytes."""
    arrays: dict[str, NDArray[Any]] = {
        "values": state.values,
        "drivers": state.drivers,
        "half_hours": state.half_hours,
    }
    reference, suspicion = state.reference, state.suspicion
    head: dict[str, Any] = {
        "method": METHOD,
        "format": FORMAT,
        "belongs_to": belongs_to,
        "days": state.days,
        "reference": None,
        "suspicion": None,
        "events": [],
    }
    if reference is not None:
        head["reference"] = {
            "days": [day.isoformat() for day in reference.days],
            "names": list(reference.names),
            "is_metered": list(reference.is_metered),
        }
        arrays |= {f"reference.{name}": getattr(reference, name) for name in _REFERENCE}
    if suspicion is not None:
        head["suspicion"] = _plain(suspicion, without=("effect",))
        arrays["suspicion.effect"] = suspicion.effect
    head["events"] = [_plain(event) for event in state.events]
    text = json.dumps(head, separators=(",", ":"), sort_keys=True, allow_nan=False)
    named: dict[str, Any] = {name: np.ascontiguousarray(part) for name, part in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, head=np.frombuffer(text.encode(), np.uint8), **named)
    return buffer.getvalue()


def from_bytes(content: bytes, belongs_to: str) -> LikelihoodState:
    """Return the state that `to_bytes` gave.

    Raises
    ------
    InputError
        It is of another method, format, network, sensor layout or list of repairs.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        head = json.loads(arrays.pop("head").tobytes())
        found = (head["method"], head["format"])
    except (ValueError, OSError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"a detection state cannot be read: {error}", remedy=_AGAIN) from error
    if found != (METHOD, FORMAT):
        raise InputError(
            f"a detection state is of {found[0]} {found[1]}, wanted is {METHOD} {FORMAT}",
            remedy=_AGAIN,
        )
    if head["belongs_to"] != belongs_to:
        raise InputError(
            "a detection state belongs to another network model, sensor layout or list of repairs",
            remedy=_AGAIN,
        )
    waiting = head["suspicion"]
    return LikelihoodState(
        _reference(head["reference"], arrays),
        head["days"],
        arrays["values"],
        arrays["drivers"],
        arrays["half_hours"],
        tuple(Event(**_with_place(plain)) for plain in head["events"]),
        None
        if waiting is None
        else Suspicion(**_with_place(waiting), effect=arrays["suspicion.effect"]),
    )


def _plain(one: Event | Suspicion, without: tuple[str, ...] = ()) -> dict[str, Any]:
    plain = {name: value for name, value in vars(one).items() if name not in without}
    plain["place"] = None if one.place is None else asdict(one.place)
    return plain


def _with_place(plain: dict[str, Any]) -> dict[str, Any]:
    stored = plain["place"]
    if stored is None:
        return plain
    candidates = tuple((pipe, share) for pipe, share in stored["candidates"])
    return {**plain, "place": Place(**{**stored, "candidates": candidates})}


def _reference(plain: dict[str, Any] | None, arrays: dict[str, Floats]) -> ChannelReference | None:
    if plain is None:
        return None
    return ChannelReference(
        tuple(date.fromisoformat(day) for day in plain["days"]),
        tuple(plain["names"]),
        tuple(plain["is_metered"]),
        *(arrays[f"reference.{name}"] for name in _REFERENCE),
    )
