"""Turns points of the unit cube into leaks: which pipe, how large, from when.

Points fill pipe × size × start evenly over all batches of a plan; which scenarios leak is the
plan's matter.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.hydraulics.towns.leaks import Leak

from .events import base_demand_m3_per_h

# Leaks against the network's mean demand: below, three hours do not show them among the noise of
# demand; above, nobody needs a detector.
SMALLEST_LEAK_SHARE, LARGEST_LEAK_SHARE = 0.10, 0.50
TYPICAL_PRESSURE_M = 45.0
# Steps of the R3 sequence (Roberts 2018): points that fill a cube evenly, however many there are.
# The base is the positive root of x⁴ = x + 1.
_R3_BASE = 1.2207440846057596
# Leaks start within these parts of the run, so that windows without leak come before.
_START_FROM, _START_TO = 1 / 6, 1 / 2


def leak_range_mm(
    model: Any, smallest_mm: float | None, largest_mm: float | None
) -> tuple[float, float]:
    """Return the smallest and largest leak diameter for a network; given ones are kept.

    What a leak is to a network goes by its flow against the demand: 12 mm are much in a town of
    170 m3/h and nothing in one of 20,000 m3/h. Torricelli at `TYPICAL_PRESSURE_M`.

    Raises
    ------
    InputError
        The network has no demand.
    """
    demand_m3_per_s = base_demand_m3_per_h(model) / 3600
    if not demand_m3_per_s:
        raise InputError(
            "the network model has no demand that leak sizes could be measured against",
            remedy="Give its junctions base demands",
        )
    return (
        smallest_mm or 1000 * hole_diameter_m(SMALLEST_LEAK_SHARE * demand_m3_per_s),
        largest_mm or 1000 * hole_diameter_m(LARGEST_LEAK_SHARE * demand_m3_per_s),
    )


def hole_diameter_m(flow_m3_per_s: float) -> float:
    """Return the diameter of the hole that a leak has at `TYPICAL_PRESSURE_M` (Torricelli)."""
    jet_m_per_s = 0.75 * math.sqrt(2 * 9.81 * TYPICAL_PRESSURE_M)
    return math.sqrt(4 * flow_m3_per_s / jet_m_per_s / math.pi)


def spread_point(index: int, offset: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return point number `index` of the sequence, moved by an offset (3) within the unit cube."""
    steps = (offset[k] + (index + 1) / _R3_BASE ** (k + 1) for k in range(3))
    x, y, z = (float(s % 1.0) for s in steps)
    return x, y, z


def place_leak(
    model: Any,
    pipes: Sequence[str],
    point: tuple[float, float, float],
    sizes_mm: tuple[float, float],
    *,
    start_at: datetime,
    steps: int,
    step_s: int,
    grows: bool,
    rng: np.random.Generator,
) -> Leak:
    """Return the leak of a point (pipe, logarithm of the diameter, start) in a run of `steps`."""
    pipe = pipes[int(point[0] * len(pipes))]
    widest = float(model.get_link(pipe).diameter) * 1000
    small, large = sizes_mm
    # A town's pipe may be narrower than the model's; a hole as wide as the pipe is no leak.
    diameter_mm = min(small * (large / small) ** point[1], 0.8 * widest)
    first = round((_START_FROM + (_START_TO - _START_FROM) * point[2]) * steps)
    peak = first + round(float(rng.uniform(0.2, 0.9)) * (steps - first)) if grows else first
    step = timedelta(seconds=step_s)
    return Leak(
        link_id=pipe,
        start_at=start_at + first * step,
        diameter_m=round(diameter_mm / 1000, 6),
        kind="incipient" if grows else "abrupt",
        peak_at=start_at + peak * step,
    )
