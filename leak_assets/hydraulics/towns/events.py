"""Events that are not leaks: what happens in a network by intent, by accident or by other water.

Only what an event is and which a network can have; `actuators` carries it out in EPANET.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.sites.sensors import SensorLayout

from .periods import period_problem, steps_between

Effect = Literal["draw", "close", "open", "set_point", "meter"]


@dataclass(frozen=True)
class EventKind:
    """What a kind of event does.

    Parameters
    ----------
    effect
        `draw`: water taken at a junction; `close` and `open`: a link; `set_point`: added to the
        setting of a pressure reducing valve; `meter`: a factor on what a flow meter reads.
    size_unit
        Unit of `Event.size`; empty where the kind has no size.
    is_metered
        Whether a customer's meter at the junction counts the water.
    """

    effect: Effect
    place: str
    size_unit: str = ""
    is_metered: bool = False


KINDS = {
    "fire_flow": EventKind("draw", "junction", "m3/h"),
    "flushing": EventKind("draw", "junction", "m3/h"),
    "large_customer": EventKind("draw", "junction", "m3/h", is_metered=True),
    "pump_trip": EventKind("close", "pump"),
    "tank_fill": EventKind("open", "pump"),
    "prv_set_point": EventKind("set_point", "pressure reducing valve", "m"),
    "valve_operation": EventKind("close", "pipe"),
    "boundary_valve": EventKind("open", "pipe or valve"),
    "meter_swap": EventKind("meter", "flow meter", "factor"),
}

# What no town has: beyond it a number is a slip of unit (L/h for m3/h) or of the pen.
LARGEST_SIZE = {"m3/h": 100_000.0, "m": 1000.0, "factor": 1000.0}


@dataclass(frozen=True)
class Event:
    """One event.

    Parameters
    ----------
    kind
        One of `KINDS`. `tank_fill` holds the pump on that fills a tank, whatever its level;
        `boundary_valve` opens a pipe that is closed.
    element_id
        Junction, link or flow meter.
    start_at, end_at
        UTC times; in use from the first step not before the start to the last before the end.
    size
        In the unit of the kind; 0 where it has none. A set-point change may be negative; the
        factor of a swapped meter is new reading / old reading.
    """

    kind: str
    element_id: str
    start_at: datetime
    end_at: datetime
    size: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            self._refuse("no such kind of event", f"Use one of {', '.join(KINDS)}")
        if wrong := period_problem(self.start_at, self.end_at):
            self._refuse(*wrong)
        unit = KINDS[self.kind].size_unit
        if not unit and self.size:
            self._refuse(f"size {self.size:g}", "This kind of event has no size: leave it out")
        if unit == "m" and not (self.size and np.isfinite(self.size)):
            self._refuse(f"size {self.size:g}", "Give the change of the set-point in metres")
        if unit in ("m3/h", "factor") and not 0 < self.size < np.inf:
            self._refuse(f"size {self.size:g}", f"Give a positive size ({unit})")
        if unit and abs(self.size) > LARGEST_SIZE[unit]:
            self._refuse(f"size {self.size:g}", f"Give up to {LARGEST_SIZE[unit]:,.0f} ({unit})")

    def _refuse(self, problem: str, remedy: str) -> None:
        raise InputError(f"event {self.kind} at {self.element_id}: {problem}", remedy=remedy)

    @property
    def effect(self) -> Effect:
        """What it does."""
        return KINDS[self.kind].effect

    def steps(self, start_at: datetime, step_s: int, steps: int) -> range:
        """Return the numbers of the steps at which it is in use, within a run."""
        return steps_between(
            self.start_at, self.end_at, run_start_at=start_at, step_s=step_s, steps=steps
        )

    def is_on(self, start_at: datetime, step_s: int, steps: int) -> NDArray[np.bool_]:
        """Return whether it is in use at each step (T)."""
        on = np.zeros(steps, dtype=np.bool_)
        on[list(self.steps(start_at, step_s, steps))] = True
        return on


def check_events(
    model: Any, layout: SensorLayout, events: Iterable[Event], closed_pipes: Iterable[str] = ()
) -> None:
    """Refuse events that a network cannot have.

    Parameters
    ----------
    closed_pipes
        Pipes that are closed in the town and open in the model.

    Raises
    ------
    InputError
        Unknown element or one of another type, a valve that is open or closed already, a link
        under rules, or two events that hold one link at the same time.
    """
    events = tuple(events)
    closed = set(closed_pipes)
    for event in events:
        _check_place(model, layout, event)
        if event.effect in ("open", "close") and event.kind != "tank_fill":
            link = model.get_link(event.element_id)
            is_closed = event.element_id in closed or str(link.initial_status) == "Closed"
            if event.kind == "boundary_valve" and not is_closed:
                _refuse(event, "it is open already", "Name a closed pipe or valve")
            if event.kind == "valve_operation" and is_closed:
                _refuse(event, "it is closed already", "Name an open pipe")
        if event.effect in ("open", "close", "set_point") and event.element_id in ruled_links(
            model
        ):
            _refuse(event, "the link is under rules", "Name a link that no [RULES] act on")
    held = [e for e in events if e.effect in ("open", "close", "set_point")]
    for i, event in enumerate(held):
        for other in held[i + 1 :]:
            overlap = event.start_at < other.end_at and other.start_at < event.end_at
            if event.element_id == other.element_id and overlap:
                _refuse(event, f"{other.kind} holds it at the same time", "Let them follow")


def _check_place(model: Any, layout: SensorLayout, event: Event) -> None:
    names = {
        "junction": model.junction_name_list,
        "pump": model.pump_name_list,
        "pipe": model.pipe_name_list,
        "pipe or valve": [*model.pipe_name_list, *model.valve_name_list],
        "pressure reducing valve": [n for n, v in model.valves() if v.valve_type == "PRV"],
        "flow meter": layout.ids("flow"),
    }
    place = KINDS[event.kind].place
    if event.element_id not in names[place]:
        known = names[place]
        _refuse(
            event,
            f"no such {place}",
            f"Known: {', '.join(known[:5])}" if known else f"This network has no {place}",
        )


def ruled_links(model: Any) -> set[str]:
    """Return links that rules act on; their actions cannot be suspended for an event."""
    from wntr.network.controls import Rule

    return {
        str(action.target()[0].name)
        for _, control in model.controls()
        if type(control) is Rule
        for action in control.actions()
        if hasattr(action.target()[0], "name")
    }


def _refuse(event: Event, problem: str, remedy: str) -> None:
    raise InputError(f"event {event.kind} at {event.element_id}: {problem}", remedy=remedy)
