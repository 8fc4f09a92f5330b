"""What a detector is: one pure function from a state and what is seen of a day to the next state.

The seam behind which methods stand; none is named here, and nothing is read or written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, TypeVar

import polars as pl

from .hypothesis import Hypothesis

StateT = TypeVar("StateT")


@dataclass(frozen=True)
class Observed:
    """What is seen of one day so far.

    Parameters
    ----------
    day
        Day in UTC.
    tables
        By full name, rows of the tables that the method reads: of the day, after those of the
        days before that it asks for. A table of which nothing is there has no row.
    """

    day: date
    tables: Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Findings:
    """What a day added.

    Parameters
    ----------
    hypotheses
        What the method holds to be going on: of a day that is over, every live hypothesis and
        those that ended with it; of a method that looks more often, every change.
    messages
        Lines for people, of what the method takes for granted.
    """

    hypotheses: Sequence[Hypothesis] = field(default=())
    messages: Sequence[str] = field(default=())


class Detector(Protocol[StateT]):
    """A method of detection, made for one network.

    `step` is pure: the same state and day give the same next state and findings, however days
    are handed over: one by one, in one go, or after the state went through `to_bytes`. A day that
    is not over yet may be handed over again with more of it, from the state of the day before.
    """

    @property
    def method(self) -> str:
        """Name of the method."""
        ...

    @property
    def version(self) -> str:
        """Version of the method and of all that it was made with."""
        ...

    def start(self) -> StateT:
        """Return the state before the first day."""
        ...

    def step(self, state: StateT, observed: Observed) -> tuple[StateT, Findings]:
        """Return the state after a day, and what the day added."""
        ...

    def is_checkpoint(self, before: StateT, after: StateT) -> bool:
        """Say whether the state after a day is worth a full copy; days between are replayed."""
        ...

    def day(self, state: StateT) -> date | None:
        """Return the last day that the state has taken in."""
        ...

    def summary(self, state: StateT) -> dict[str, Any]:
        """Return what is known, for people, as JSON types."""
        ...

    def to_bytes(self, state: StateT) -> bytes:
        """Return the state exactly, without code in it."""
        ...

    def from_bytes(self, content: bytes) -> StateT:
        """Return the state that `to_bytes` gave.

        Raises
        ------
        InputError
            It is of another method, version or network.
        """
        ...
