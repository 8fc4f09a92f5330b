"""Whether something that began within the last day is a leak: decided every half-hour.

A decision stands when more of the day is known; the days judge it again later (`history`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leak_assets.features.half_hours import PER_DAY

from .bursts import TwoDays
from .explanations import Explanations
from .placing import Placed, place
from .policy import LikelihoodPolicy
from .rivals import LEAST_SIZE_SHARE, best_fault

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Burst:
    """A leak that began at once, as seen within a day.

    Parameters
    ----------
    began_at, known_at
        Half-hours since the begin of yesterday: the first in which it ran, and the one with whose
        begin it was known.
    placed
        Where it is.
    effect
        On the coordinates (J).
    """

    began_at: int
    known_at: int
    placed: Placed
    effect: Floats

    @property
    def steps(self) -> range:
        """Half-hours in which it may have begun, or become whole."""
        return range(self.began_at, self.known_at + 1)


def bursts(
    seen: TwoDays,
    explanations: Explanations,
    usual: Floats,
    steps: Sequence[int],
    policy: LikelihoodPolicy,
    *,
    first: int = 0,
) -> list[Burst]:
    """Return the leaks that became known today, in order.

    Parameters
    ----------
    usual
        As of `rivals.best_fault`.
    steps
        Half-hours since the begin of yesterday in which leaks began that are known already: from
        their begin until they were known, for what is known first of them is too small.
    first
        As of `TwoDays.changes`.
    """
    known, found, since = list(steps), [], max([0, *steps])
    for until in range(PER_DAY + 1, len(seen.departures) + 1):
        burst = _burst(seen, explanations, usual, known, policy, (until, since, first))
        if burst is not None:
            found.append(burst)
            known += burst.steps
            # What it is off by in time or size is not a second one.
            since = until
    return found


def _burst(
    seen: TwoDays,
    explanations: Explanations,
    usual: Floats,
    steps: Sequence[int],
    policy: LikelihoodPolicy,
    when: tuple[int, int, int],
) -> Burst | None:
    """Return the leak that explains what is seen now, None where none does well enough."""
    until, since, first = when
    changes = seen.changes(until, steps, since, first)
    if changes is None:
        return None
    coordinates = seen.coordinates
    value, size = changes.ratios(coordinates.leaks)
    large = size >= LEAST_SIZE_SHARE * policy.smallest_m3_per_h * explanations.flow_scale
    leak = np.where(large, value, 0.0).max(axis=1)
    number = int(leak.argmax())
    # What ended does the reverse of a leak.
    if leak[number] <= max(policy.burst_alarm, float(-value.min())):
        return None
    information, score = changes.information[number], changes.score[number]
    placed = place(coordinates, explanations, information, score)
    _, of_fault = best_fault(changes, coordinates.faults, explanations, usual, ())
    total = float((score**2 / information).sum())
    is_leak = (
        2 * placed.gain > max(policy.burst_alarm, policy.burst_share * total)
        and placed.gain > of_fault
        and placed.place.chance >= policy.chance_to_report
    )
    if not is_leak:
        return None
    return Burst(changes.starts[number][0], until, placed, score / information)
