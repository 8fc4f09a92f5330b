"""A day of half-hour channels in figures: daily means, what moved them, and the half-hours.

From rows of `features.channels_30m` to arrays that methods take; rows are made in `half_hours`.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .half_hours import PER_DAY, TRANSFER, ChannelReference, is_stuck, mean_of, numbers, robust_day

Floats = NDArray[np.float64]


def daily_drivers(rows: pl.DataFrame, reference: ChannelReference) -> Floats:
    """Return what moved the channels of a whole day (2Z + 2M), NaN where it is not known.

    What each of Z zones took and was expected to take, what went through each of M meters between
    zones, and the mean of its product with what the largest zone took; m3/h.

    Parameters
    ----------
    rows
        As of `daily_values`.
    """
    balances = [name for name in reference.names if name.startswith("balance/")]
    transfers = rows["channel"].unique(maintain_order=True)
    transfers = transfers.filter(transfers.str.starts_with(TRANSFER))
    parts = {name: rows.filter(channel=name) for name in [*balances, *transfers]}
    taken = [numbers(parts[name]["measured"]) for name in balances]
    flows = [numbers(parts[name]["measured"]) for name in transfers]
    usual = taken[0] if taken else np.ones(PER_DAY)
    return np.array(
        [
            *(mean_of(values) for values in taken),
            *(mean_of(numbers(parts[name]["expected"])) for name in balances),
            *(mean_of(flow) for flow in flows),
            *(mean_of(flow * usual) for flow in flows),
        ]
    )


def daily_values(rows: pl.DataFrame, reference: ChannelReference) -> Floats | None:
    """Return the mean of each channel over a whole day (S), NaN where it cannot be used.

    None where the day is not over yet: fewer than 48 half-hours were seen.

    Parameters
    ----------
    rows
        Of `features.channels_30m` of one day, as written.
    reference
        Deviations without a leak, against which spikes and noise are judged.
    """
    count = len(reference.names)
    rows = rows.filter(~pl.col("channel").str.starts_with(TRANSFER))
    if rows.height != PER_DAY * count:
        return None
    measured = _matrix(rows["measured"], count)
    residual = _matrix(rows["residual"], count)
    pressures = reference.pressures
    inside = residual[:, :pressures].copy()
    inside[:, is_stuck(measured[:, :pressures])] = np.nan
    balances = [mean_of(column) for column in residual[:, pressures:].T]
    return np.concatenate([robust_day(inside, reference.deviation), balances])


def half_hours(rows: pl.DataFrame, reference: ChannelReference) -> Floats:
    """Return the half-hours of a day so far (48 × (S + 1 + M)), NaN where nothing is known.

    Residuals of the S channels; what the largest zone took, m3/h; the flow through each of M meters
    between zones, m3/h. No value depends on later ones.

    Parameters
    ----------
    rows
        Of `features.channels_30m` of one day, as written.
    """
    count, pressures = len(reference.names), reference.pressures
    channels = rows.filter(~pl.col("channel").str.starts_with(TRANSFER))
    measured, residual = _matrix(channels["measured"], count), _matrix(channels["residual"], count)
    zone = measured[:, pressures] if count > pressures else np.full(len(residual), np.nan)
    meters = rows["channel"].unique(maintain_order=True)
    meters = meters.filter(meters.str.starts_with(TRANSFER))
    flows = [numbers(rows.filter(channel=name)["measured"])[: len(residual)] for name in meters]
    out = np.full((PER_DAY, count + 1 + len(flows)), np.nan)
    out[: len(residual)] = np.column_stack([residual, zone, *flows])
    return out


def _matrix(values: pl.Series, columns: int) -> Floats:
    return numbers(values).reshape(-1, columns)
