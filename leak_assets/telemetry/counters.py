"""Meters that deliver a register: the flow between two registers, and where one began again.

What a rollover is stands in `quality.counter`; which meters are counters is said by the layout.
"""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.quality.counter import increments
from leak_assets.quality.reasons import Reason
from leak_assets.sites.contract import Contract

from .on_grid import Floats, Grid


def flows_of_counters(
    grid: Grid,
    values: Floats,
    before: Callable[[Sequence[str]], pl.DataFrame] | None,
    contract: Contract,
) -> tuple[Floats, NDArray[np.int64]]:
    """Return values with flows in place of the registers of counters, and flags of these (S x T).

    A register stands for the mean flow since the one before it, m3/s. Nothing is known of the
    first one, and of one that fell without rolling over (a meter that was swapped or set back):
    no value, flagged `counter_rollover`. A flow that is impossible is flagged `range` and kept.

    Parameters
    ----------
    values
        Values in SI, of counters registers in m3 (S x T); NaN where there is none that could be
        true.
    before
        Gives the last rows before the grid of some sensors; None where nothing is known of them.
    """
    flags = np.zeros(values.shape, dtype=np.int64)
    counters = [number for number, s in enumerate(grid.sensors) if s.counter is not None]
    if not counters:
        return values, flags
    flows = values.copy()
    clock_us = grid.matrix("ts_utc")
    last = _last(before, [grid.sensors[number].sensor_id for number in counters])
    for number in counters:
        sensor = grid.sensors[number]
        known = np.flatnonzero(np.isfinite(values[number]))
        first = last.get((sensor.sensor_id, sensor.quantity), (np.nan, np.nan))
        register = np.concatenate([[first[0]], values[number, known]])
        seconds = np.diff(np.concatenate([[first[1]], clock_us[number, known]])) / 1e6
        counted, rolled = increments(register, float(sensor.counter or 0))
        flow = counted[1:] / np.where(seconds > 0, seconds, np.nan)
        fell = np.diff(register) < 0
        allowed = contract.quantities[sensor.quantity]
        impossible = (flow < allowed.min) | (flow > allowed.max)
        flows[number, known] = flow
        flags[number, known[rolled[1:] | fell]] |= int(Reason.COUNTER_ROLLOVER)
        flags[number, known[impossible]] |= int(Reason.RANGE)
    return flows, flags


def _last(
    before: Callable[[Sequence[str]], pl.DataFrame] | None, sensor_ids: Sequence[str]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return register (m3) and time (microseconds from 1970) of the last row of each counter."""
    if before is None:
        return {}
    rows = before(sensor_ids).with_columns(pl.col("ts_utc").dt.epoch("us"))
    return {
        (name, quantity): (value, clock)
        for name, quantity, value, clock in rows.select(
            "sensor_id", "quantity", "value_si", "ts_utc"
        ).iter_rows()
    }
