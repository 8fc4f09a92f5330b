"""Carries events out in EPANET: water drawn at junctions, links held open or closed, set-points.

What an event is belongs in `events`. Draws are in m3/h, as everything EPANET gets here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from leak_assets.hydraulics.epanet import project as epanet
from leak_assets.hydraulics.towns.events import KINDS, Event

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Water that events ask for.

    Parameters
    ----------
    nodes
        Junction of each draw (D).
    wanted
        m3/h at each step (T × D).
    is_metered
        Whether a customer's meter at the junction counts it (D).
    """

    nodes: tuple[str, ...]
    wanted: Array
    is_metered: tuple[bool, ...]

    @classmethod
    def of(cls, events: Sequence[Event], start_at: datetime, step_s: int, steps: int) -> "Draws":
        """Return the draws among some events."""
        drawing = [e for e in events if e.effect == "draw"]
        wanted = np.zeros((steps, len(drawing)))
        for i, event in enumerate(drawing):
            wanted[:, i] = event.size * event.is_on(start_at, step_s, steps)
        return cls(
            tuple(e.element_id for e in drawing),
            wanted,
            tuple(KINDS[e.kind].is_metered for e in drawing),
        )


@dataclass
class _Hold:
    """A link that an event holds, and what it was before."""

    event: Event
    link: int
    on: NDArray[np.bool_]
    is_held: bool = False
    before: float = 0.0

    @property
    def code(self) -> int:
        return epanet.LINK_SETTING if self.event.effect == "set_point" else epanet.LINK_STATUS

    @property
    def value(self) -> float:
        if self.event.effect == "set_point":
            return max(0.0, self.before + self.event.size)
        return 1.0 if self.event.effect == "open" else 0.0


class Actuators:
    """Holds and releases the links of one run's events.

    While a link is held its simple controls are off, for EPANET applies them within a solution
    and would undo the event. Released, the link goes back to what it was, and its controls
    decide again.
    """

    def __init__(
        self,
        project: epanet.EpanetProject,
        events: Sequence[Event],
        start_at: datetime,
        step_s: int,
        steps: int,
    ) -> None:
        self._project = project
        self._holds = [
            _Hold(e, project.link_index(e.element_id), e.is_on(start_at, step_s, steps))
            for e in events
            if e.effect in ("open", "close", "set_point")
        ]
        self._controls: dict[int, epanet.Control] = {}
        self._by_link: dict[int, list[int]] = {}
        if self._holds:
            for number in range(1, project.control_count() + 1):
                self._by_link.setdefault(project.control(number).link, []).append(number)

    def set(self, k: int) -> None:
        """Hold and release what begins and ends at step k; before the step is solved."""
        # Releases first: one event may follow another at the same link.
        for hold in self._holds:
            if hold.is_held and not hold.on[k]:
                self._release(hold)
        for hold in self._holds:
            if hold.on[k] and not hold.is_held:
                self._hold(hold)

    def reset(self) -> None:
        """Give all links back to their controls, for the next run in the same project."""
        for hold in self._holds:
            if hold.is_held:
                self._release(hold)

    def _hold(self, hold: _Hold) -> None:
        for number in self._by_link.get(hold.link, ()):
            self._controls[number] = self._project.control(number)
            self._project.suspend_control(number)
        hold.before = self._project.link_reader([hold.link], hold.code)()[0]
        self._project.set_link(hold.link, hold.code, hold.value)
        hold.is_held = True

    def _release(self, hold: _Hold) -> None:
        self._project.set_link(hold.link, hold.code, hold.before)
        for number in self._by_link.get(hold.link, ()):
            self._project.set_control(number, self._controls.pop(number))
        hold.is_held = False
