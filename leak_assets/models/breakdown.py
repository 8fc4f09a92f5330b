"""Metrics by class: size and type of the leak, district metered area, phase of the day.

Every window is in one class of each dimension, so the counts of a dimension sum to the total.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

DIMENSIONS = ("leak_size", "leak_type", "dma", "day_phase")
NO_LEAK, UNKNOWN = "no leak", "unknown"
# Begins of the phases of the day, UTC hours.
_PHASES = ((0, "night"), (6, "morning"), (12, "day"), (18, "evening"))


def classes(index: pl.DataFrame, zones: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the class of each window in each dimension.

    Parameters
    ----------
    index
        window_end, is_leak, link_id, leak_type, leak_flow_m3_per_h of each window.
    zones
        District metered area of each pipe.

    Returns
    -------
    dict
        By dimension. Leak sizes are thirds of the leak windows by flow, told as a range in m3/h.
    """
    leaks = index["is_leak"].to_list()
    flows = index["leak_flow_m3_per_h"].to_numpy()
    return {
        "leak_size": _sizes(flows, np.array(leaks, dtype=bool)),
        "leak_type": [
            (kind or UNKNOWN) if leak else NO_LEAK
            for kind, leak in zip(index["leak_type"], leaks, strict=True)
        ],
        "dma": [
            zones.get(link or "", UNKNOWN) if leak else NO_LEAK
            for link, leak in zip(index["link_id"], leaks, strict=True)
        ],
        "day_phase": [phase_of(end) for end in index["window_end"]],
    }


def phase_of(moment: datetime) -> str:
    """Return the phase of the day of a moment, UTC: night, morning, day, evening."""
    return next(name for begin, name in reversed(_PHASES) if moment.hour >= begin)


def _sizes(flows: NDArray[np.floating], is_leak: NDArray[np.bool_]) -> list[str]:
    found = np.full(flows.size, NO_LEAK, dtype=object)
    if is_leak.any():
        edges = np.quantile(flows[is_leak], [0, 1 / 3, 2 / 3, 1])
        place = np.clip(np.searchsorted(edges, flows, side="right") - 1, 0, 2)
        names = [f"{edges[i]:.3g} to {edges[i + 1]:.3g} m3/h" for i in range(3)]
        found[is_leak] = np.array(names, dtype=object)[place[is_leak]]
    return [str(name) for name in found]


def breakdown(
    by_class: Mapping[str, Sequence[str]],
    is_leak: NDArray[np.bool_],
    alarm: NDArray[np.bool_],
    hit: NDArray[np.bool_],
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return counts and rates of each class of each dimension.

    Parameters
    ----------
    by_class
        From `classes`.
    is_leak, alarm, hit
        Label, alarm, and whether a leak window was found, [n].
    """
    return {
        dimension: {
            name: _counts(np.array([one == name for one in members]), is_leak, alarm, hit)
            for name in sorted(set(members))
        }
        for dimension, members in by_class.items()
    }


def _counts(
    mine: NDArray[np.bool_],
    is_leak: NDArray[np.bool_],
    alarm: NDArray[np.bool_],
    hit: NDArray[np.bool_],
) -> dict[str, Any]:
    leaks, alarms = int((mine & is_leak).sum()), int((mine & alarm).sum())
    hits, free = int((mine & is_leak & hit).sum()), int((mine & ~is_leak).sum())
    return {
        "windows": int(mine.sum()),
        "leak_windows": leaks,
        "alarms": alarms,
        "hits": hits,
        "recall": hits / leaks if leaks else None,
        "precision": hits / alarms if alarms else None,
        "false_alarm_rate": (mine & alarm & ~is_leak).sum() / free if free else None,
    }
