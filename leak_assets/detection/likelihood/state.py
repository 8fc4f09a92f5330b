"""What the likelihood method knows after a day, and how that is kept.

Facts only; what follows from a further day is `history`.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.features.half_hours import ChannelReference

from .explanations import Place
from .leak_filter import Component, FilterState

Floats = NDArray[np.float64]

METHOD = "likelihood"
# Of the serialized state: another one is refused.
FORMAT = 1
_REFERENCE = ("factor", "usual", "covariance", "daily")
_BASE = ("mean", "covariance")
_COMPONENT = ("basis", "initial_sd", "drift_sd", "spill_sd", "spill_drift_sd")
_AGAIN = "Materialize the detection of the network again from its first day"


@dataclass(frozen=True, eq=False)
class Event:
    """A believed change; days are numbers since the state's first day.

    Parameters
    ----------
    hypothesis_id
        Its name.
    kind
        A leak, or a fault of a sensor or zone meter.
    index
        Pipe or fault.
    onset
        First day of its effect.
    first_seen, known_on
        Days with whose end it was suspected and believed.
    place
        Of a leak, as estimated then.
    probability, score
        Of the explanation, and twice the log likelihood ratio, as they were then.
    component
        Its part in the filter; `last_day` set where it has ended.
    growths
        How often its growth was found to be faster than thought.
    ended_known_on
        Day with whose end its end was believed.
    changed_on
        Day of its last change.
    volume_m3
        Of a leak: loss since its onset.
    """

    hypothesis_id: str
    kind: Literal["leak", "fault"]
    index: int
    onset: int
    first_seen: int
    known_on: int
    place: Place | None
    probability: float
    score: float
    component: Component
    growths: int = 0
    ended_known_on: int | None = None
    changed_on: int = 0
    volume_m3: float = 0.0


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
    base
        The filter at the end of a day before which nothing changes any more; None: before the
        first day.
    values
        Daily channels after `base` (D × S).
    events
        All that was believed, in that order.
    suspicion
        What waits for a better place.
    current, checkpoints
        The filter now, and on days since `base`; kept in memory only, made again from the rest.
    """

    reference: ChannelReference | None = None
    days: int = 0
    base: FilterState | None = None
    values: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    events: tuple[Event, ...] = ()
    suspicion: Suspicion | None = None
    current: FilterState | None = None
    checkpoints: tuple[FilterState, ...] = ()

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
    arrays: dict[str, Floats] = {"values": state.values}
    reference, base, suspicion = state.reference, state.base, state.suspicion
    head: dict[str, Any] = {
        "method": METHOD,
        "format": FORMAT,
        "belongs_to": belongs_to,
        "days": state.days,
        "reference": None,
        "base": None,
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
    if base is not None:
        head["base"] = {"day": base.day, "active": list(base.active)}
        arrays |= {f"base.{name}": getattr(base, name) for name in _BASE}
    if suspicion is not None:
        head["suspicion"] = {
            "hypothesis_id": suspicion.hypothesis_id,
            "since": suspicion.since,
            "seen_on": suspicion.seen_on,
            "onset": suspicion.onset,
            "place": asdict(suspicion.place),
            "score": suspicion.score,
        }
        arrays["suspicion.effect"] = suspicion.effect
    for number, event in enumerate(state.events):
        plain = {
            name: value for name, value in vars(event).items() if name not in ("component", "place")
        }
        plain["place"] = None if event.place is None else asdict(event.place)
        plain["first_day"] = event.component.first_day
        plain["last_day"] = event.component.last_day
        head["events"].append(plain)
        arrays |= {f"event{number}.{k}": getattr(event.component, k) for k in _COMPONENT}
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
    return LikelihoodState(
        _reference(head["reference"], arrays),
        head["days"],
        _base(head["base"], arrays),
        arrays["values"],
        tuple(_event(number, plain, arrays) for number, plain in enumerate(head["events"])),
        _suspicion(head["suspicion"], arrays),
    )


def _reference(plain: dict[str, Any] | None, arrays: dict[str, Floats]) -> ChannelReference | None:
    if plain is None:
        return None
    return ChannelReference(
        tuple(date.fromisoformat(day) for day in plain["days"]),
        tuple(plain["names"]),
        tuple(plain["is_metered"]),
        *(arrays[f"reference.{name}"] for name in _REFERENCE),
    )


def _base(plain: dict[str, Any] | None, arrays: dict[str, Floats]) -> FilterState | None:
    if plain is None:
        return None
    mean, covariance = (arrays[f"base.{name}"] for name in _BASE)
    size = arrays["values"].shape[1]
    return FilterState.bare(plain["day"], mean, covariance, tuple(plain["active"]), size)


def _suspicion(plain: dict[str, Any] | None, arrays: dict[str, Floats]) -> Suspicion | None:
    if plain is None:
        return None
    place = _place(plain.pop("place"))
    return Suspicion(**plain, place=place, effect=arrays["suspicion.effect"])


def _event(number: int, plain: dict[str, Any], arrays: dict[str, Floats]) -> Event:
    part = {name: arrays[f"event{number}.{name}"] for name in _COMPONENT}
    component = Component(first_day=plain.pop("first_day"), last_day=plain.pop("last_day"), **part)
    place = plain.pop("place")
    return Event(**plain, place=None if place is None else _place(place), component=component)


def _place(plain: dict[str, Any]) -> Place:
    candidates = tuple((pipe, share) for pipe, share in plain.pop("candidates"))
    return Place(**plain, candidates=candidates)
