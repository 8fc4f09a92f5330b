"""Nominal demands of a network model over calendar time: base demands times time patterns.

What the model's file says about demand and when; measurements do not enter.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.networks import Network

_US_PER_S = 1_000_000
CONSTANT = ""


def pattern_values(
    network: Network, model: Any, name: str, ts_us: NDArray[np.int64], step_s: float
) -> NDArray[np.float64]:
    """Return the mean multiplier of a time pattern over each step (T).

    Parameters
    ----------
    name
        Pattern, or `CONSTANT`.
    ts_us
        Begin of the steps, microseconds since 1970 UTC (T).
    step_s
        Length of a step; patterns with a finer step are averaged over it.
    """
    if name == CONSTANT:
        return np.ones(len(ts_us))
    values = np.asarray(model.get_pattern(name).multipliers, dtype=np.float64)
    if values.size == 0:
        return np.ones(len(ts_us))
    times = model.options.time
    epoch = np.datetime64(network.pattern_epoch, "us").astype(np.int64)
    seconds = (ts_us - epoch) / _US_PER_S + float(times.pattern_start)
    length = float(times.pattern_timestep)
    if step_s <= length:
        return values[np.floor(seconds / length).astype(np.int64) % len(values)]
    offsets = np.arange(0.0, step_s, length)
    index = np.floor((seconds[:, None] + offsets[None, :]) / length).astype(np.int64)
    return values[index % len(values)].mean(axis=1)


def demand_shares(model: Any, junctions: Iterable[str]) -> dict[str, dict[str, float]]:
    """Return the base demands of junctions by pattern: `{pattern: {junction: m3/s}}`.

    A demand without a pattern of its own follows the model's default pattern, as in EPANET.
    """
    hydraulic = model.options.hydraulic
    default = hydraulic.pattern if hydraulic.pattern in model.pattern_name_list else CONSTANT
    shares: dict[str, dict[str, float]] = {}
    for name in junctions:
        for demand in model.get_node(name).demand_timeseries_list:
            if demand.base_value:
                group = shares.setdefault(demand.pattern_name or default, {})
                base = float(demand.base_value) * float(hydraulic.demand_multiplier)
                group[name] = group.get(name, 0.0) + base
    return shares
