"""Time stamps: several values for one time, stamps from the future, stamps out of order.

A stamp is judged within its delivery: a later delivery corrects, it does not contradict.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_SENSOR = ("sensor_id", "quantity")
# Clocks of senders and ours differ by so much without anybody being to blame.
TOLERANCE_S = 120.0


def repeated_times(readings: pl.DataFrame) -> pl.DataFrame:
    """Return sensor, quantity and time of readings that one delivery brought with several values.

    Parameters
    ----------
    readings
        `sensor_id`, `quantity`, `ts_utc`, `received_at`, `value_si`.
    """
    return (
        readings.group_by(*_SENSOR, "ts_utc", "received_at")
        .agg(pl.col("value_si").n_unique().alias("values"))
        .filter(pl.col("values") > 1)
        .select(*_SENSOR, "ts_utc")
    )


def inconsistent_times(stamp_s: Floats, received_s: Floats, sequence: Floats) -> NDArray[np.bool_]:
    """Return the readings stamped after receipt, or after a later one of their delivery (S × T).

    Parameters
    ----------
    stamp_s, received_s
        Time stamps and times of receipt of the readings, in order of the stamps (S × T).
    sequence
        Order within the delivery (S × T); NaN, here as there, where there is no reading.
    """
    with np.errstate(invalid="ignore"):
        future = stamp_s > received_s + TOLERANCE_S
        behind = (np.diff(sequence, axis=1) < 0) & (np.diff(received_s, axis=1) == 0)
    future[:, :-1] |= behind
    return np.asarray(future, dtype=np.bool_)
