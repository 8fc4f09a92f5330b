"""Rival explanations of the same change: a lying sensor or meter, the end of a leak, a new leak.

The best of each kind and what it gains; which of them is believed is `history`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .estimate import Changes
from .explanations import Explanations
from .placing import Placed

Floats = NDArray[np.float64]

# Standard deviation of the size of faults: m of a pressure, m3/h of a zone's meter.
SENSOR_SD_M = 1.0
_METER_SD_M3_PER_H = 30.0
# A fault must explain a change nearly alone.
FAULT_SHARE = 0.8
# A zone's meter is wrong by more than this part of the consumption, or right.
_SMALLEST_FAULT_PART = 0.05
# A meter goes wrong a thousand times more seldom than a pipe; its balance would be lost for good.
_METER_CHARGE = 7.0
# The end of a leak is its effect reversed, but for this part.
_ENDING_MISMATCH = 0.1
_LEAST_DAYS_BEFORE_END = 1
# Beginnings whose best leak is judged in full; the others fit worse already.
_JUDGED, _LEAST_RATIO = 4, 20.0
# A leak may look a little smaller in fixed directions than it is.
LEAST_SIZE_SHARE = 0.8


@dataclass(frozen=True)
class Fault:
    """A sensor or a zone's meter that lies: its number, since when, by how much, signed."""

    index: int
    onset: int
    size: float


def best_fault(
    changes: Changes,
    faults: Floats,
    explanations: Explanations,
    usual: Floats,
    known: Collection[int],
) -> tuple[Fault | None, float]:
    """Return the likeliest fault and its gain in log likelihood, minus infinity without one.

    Parameters
    ----------
    faults
        Effects in the coordinates (F × J).
    usual
        What each zone takes, m3/h; NaN where it is not known.
    known
        Numbers of faults that are believed in already.
    """
    value, size = changes.ratios(faults)
    count = explanations.pressures
    sd = np.full(len(faults), _METER_SD_M3_PER_H * explanations.flow_scale)
    sd[:count] = SENSOR_SD_M
    charge = np.log1p(sd**2 * (changes.information @ (faults**2).T)) / 2
    gain = np.abs(value) / 2 - charge - np.log(len(faults))
    gain[:, count:] -= _METER_CHARGE
    gain[~changes.is_sudden] = -np.inf
    # What a leak does to a balance a meter can do, too: only what is large is a meter's fault.
    smallest = _SMALLEST_FAULT_PART * np.nan_to_num(usual)
    gain[:, count:][np.abs(size[:, count:]) < smallest] = -np.inf
    gain[:, list(known)] = -np.inf
    total = (changes.score**2 / changes.information).sum(axis=1)
    gain[np.abs(value) < FAULT_SHARE * total[:, None]] = -np.inf
    row, fault = np.unravel_index(int(gain.argmax()), gain.shape)
    if not np.isfinite(gain[row, fault]):
        return None, -np.inf
    found = Fault(int(fault), changes.starts[row][0], float(size[row, fault]))
    return found, float(gain[row, fault])


def best_end(
    changes: Changes, running: Sequence[tuple[int, int, Floats]]
) -> tuple[tuple[int, int] | None, float]:
    """Return the leak whose end explains a change best, with the day, and the gain.

    Parameters
    ----------
    running
        Number, onset and effect now (J) of each leak that may have ended.
    """
    best: tuple[tuple[int, int] | None, float] = (None, -np.inf)
    measured = changes.score / changes.information
    nothing = -(measured * changes.score - np.log(changes.information)).sum(axis=1) / 2
    for number, onset, effect in running:
        variance = 1 / changes.information + (_ENDING_MISMATCH * effect) ** 2
        rest = measured + effect
        likelihood = -(rest * rest / variance + np.log(variance)).sum(axis=1) / 2
        since = onset + _LEAST_DAYS_BEFORE_END
        possible = changes.is_sudden & np.array([day > since for day, _ in changes.starts])
        gain = np.where(possible, likelihood - nothing - np.log(len(running)), -np.inf)
        row = int(gain.argmax())
        if gain[row] > best[1]:
            best = (number, changes.starts[row][0]), float(gain[row])
    return best


def best_leak(
    changes: Changes,
    leaks: Floats,
    place: Callable[[int], Placed],
    smallest_m3_per_h: float,
) -> tuple[tuple[int, Placed] | None, float]:
    """Return number and place of the beginning that the likeliest leak has, and its gain.

    Parameters
    ----------
    leaks
        Effects of 1 m3/h in the coordinates (P × J).
    place
        Gives the leak of a beginning, by number.
    """
    value, size = changes.ratios(leaks)
    large = size * changes.growth[:, None] >= LEAST_SIZE_SHARE * smallest_m3_per_h
    value = np.where(large, value, 0.0).max(axis=1, initial=0.0)
    best: tuple[tuple[int, Placed] | None, float] = (None, -np.inf)
    for number in np.argsort(-value, kind="stable")[:_JUDGED]:
        if value[number] < _LEAST_RATIO:
            break
        placed = place(int(number))
        if placed.gain > best[1]:
            best = (int(number), placed), placed.gain
    return best
