"""Daily values made ready: gaps filled, the season taken out, load and disturbances of each day.

What is known of the days themselves; what leaks do to them is `fit`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leak_assets.features.half_hours import ChannelReference

Floats = NDArray[np.float64]

# Head loss goes with flow to the power 1.852 (Hazen-Williams), its slope, which a leak acts on,
# with 0.85.
LOAD_EXPONENT = 0.85
_LEAST_LOAD = 0.1
_SEASON_DAYS = 7
# A gap of a channel is filled with the mean of the days before it; a channel that was out on more
# than so many of the last days is not used at all.
_FILL_DAYS = 5
_RECENT_DAYS, _MOST_MISSING = 7, 2
# Transfers are counted from their mean over the first days seen.
_CENTER_DAYS = 7
# Scale of disturbances: changes of a transfer by two thirds, unknown losses of a third of the
# consumption, so that they are about one.
_TRANSFER_PART, _UNKNOWN_PART = 0.7, 1 / 3


@dataclass(frozen=True, eq=False)
class Days:
    """The newest days of a network, without gaps.

    Parameters
    ----------
    first, learned
        Numbers of the first day kept, and of the first after the reference days.
    values
        Daily channels (N × S).
    load
        As of `Timeline` (N × Z).
    disturbances
        Transfers between zones, and their products with what the zones lose (N × E).
    usable
        Numbers of the channels that deliver.
    empty
        Days without any value, counted from the first kept.
    """

    first: int
    learned: int
    values: Floats
    load: Floats
    disturbances: Floats
    usable: tuple[int, ...]
    empty: frozenset[int]

    @property
    def last(self) -> int:
        """Number of the last day."""
        return self.first + len(self.values) - 1

    @classmethod
    def of(cls, values: Floats, drivers: Floats, reference: ChannelReference, first: int) -> "Days":
        """Return days made ready.

        Parameters
        ----------
        values
            Daily channels (N × S), NaN where there is none.
        drivers
            As of `features.channel_days.daily_drivers` (N × R), NaN where there is none.
        first
            Number of the first of them.
        """
        count, zones = reference.pressures, len(reference.zones)
        measured, expected = drivers[:, :zones], drivers[:, zones : 2 * zones]
        usual = reference.usual[count:]
        seasoned = _seasoned(values, expected, usual, reference)
        learned = (reference.days[-1] - reference.days[0]).days + 1
        missing = ~np.isfinite(seasoned)
        recent = missing[-_RECENT_DAYS:].sum(axis=0) > _MOST_MISSING
        usable = tuple(int(i) for i in np.flatnonzero(~recent))
        filled = _filled(seasoned)
        load = np.ones((len(values), max(zones, 1)))
        for zone in np.flatnonzero(np.isfinite(usual) & (usual > 0)).tolist():
            taken = carried(measured[:, zone], usual[zone]) / usual[zone]
            load[:, zone] = np.maximum(taken, _LEAST_LOAD) ** LOAD_EXPONENT
        unknown = np.maximum(filled[:, count], 0.0) if zones else np.zeros(len(values))
        scale = max(_UNKNOWN_PART * abs(usual[0]), 1e-9) if zones else 1.0
        return cls(
            first,
            learned,
            filled,
            load,
            _disturbances(drivers[:, 2 * zones :], unknown / scale),
            usable if any(i < count for i in usable) else tuple(range(values.shape[1])),
            frozenset(int(day) for day in np.flatnonzero(missing.all(axis=1))),
        )


def _seasoned(
    values: Floats, expected: Floats, usual: Floats, reference: ChannelReference
) -> Floats:
    """Return the values with forecast balances scaled by what AMR meters took in a week.

    Zones of a town share their season: over two years of two towns that leaves 1 to 3 m3/h of
    148, in place of 7 to 11.
    """
    count = reference.pressures
    metered = np.array(reference.is_metered[count:], dtype=bool)
    if not metered.any() or metered.all():
        return values
    total = expected[:, metered].sum(axis=1) / usual[metered].sum()
    known = np.isfinite(total)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, total, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - _SEASON_DAYS, 0)
    days = counts[last] - counts[first]
    change = np.where(days > 0, 1.0 - (sums[last] - sums[first]) / np.maximum(days, 1), 0.0)
    own = expected[:, ~metered] * change[:, None]
    out = values.copy()
    out[:, count + np.flatnonzero(~metered)] += np.where(np.isfinite(own), own, 0.0)
    return out


def _filled(values: Floats) -> Floats:
    """Return values with gaps filled by the mean of the days before."""
    out = values.copy()
    for day in np.flatnonzero(~np.isfinite(values).all(axis=1)):
        gap = ~np.isfinite(values[day])
        before = out[max(0, day - _FILL_DAYS) : day, gap]
        out[day, gap] = before.mean(axis=0) if len(before) else 0.0
    return out


def carried(series: Floats, start: float) -> Floats:
    """Return a series whose gaps have the value before them."""
    known = np.isfinite(series)
    place = np.maximum.accumulate(np.where(known, np.arange(len(series)), -1))
    return np.where(place >= 0, series[np.maximum(place, 0)], start)


def _disturbances(transfers: Floats, unknown: Floats) -> Floats:
    """Return transfers about their first days, and their products with unknown losses (N × E)."""
    columns = []
    for series in transfers.T:
        known = series[np.isfinite(series)][:_CENTER_DAYS]
        if not len(known) or known.mean() == 0:
            continue
        center = float(known.mean())
        change = (carried(series, center) - center) / (_TRANSFER_PART * abs(center))
        columns += [change, unknown * change]
    return np.stack(columns, axis=1) if columns else np.zeros((len(unknown), 0))
