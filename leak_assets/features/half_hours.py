"""Half-hour channels: what the daily method sees of a network, and how that looks without a leak.

From readings to rows of `features.channels_30m` and `features.channel_references`; what a change
in them means is decided in `detection`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.hydraulics.twin.calibration import Calibration
from leak_assets.hydraulics.twin.channels import Channels
from leak_assets.hydraulics.twin.twin import Twin
from leak_assets.warehouse.schemas.features import CHANNEL_REFERENCES, CHANNELS_30M

Floats = NDArray[np.float64]

PER_DAY = 48
HALF_HOUR = timedelta(minutes=30)
M3_PER_H = 3600.0
# What a tank stored is a difference over the last hour.
LEAD_IN = timedelta(hours=1)
# Fewer half-hours say nothing of a day.
_LEAST_PER_DAY = 24
# A half-hour further from the middle of the five about it than this many reference deviations, and
# than this, is a spike. Leaks and pumps move a pressure for longer than that.
_SPIKE, _SPIKE_M = 8.0, 0.2
_SPIKE_WINDOW = 5
# A day whose half-hours scatter this many times more than the reference, and more than this, is
# noise. Scatter is taken from second differences: what a leak does over the day is smooth. With
# the plain scatter, running leaks cost a town up to half of its days.
_NOISY, _NOISY_M = 6.0, 0.05
_NORMAL_PER_MAD = 1.4826
# A pressure that moves less than this all day is stuck: demand alone moves it by centimetres.
_STUCK_M = 1e-6
_FLOOR_M = 0.001
# Channels that are a flow from zone to zone: it moves pressures, and nothing is expected of it.
TRANSFER = "transfer/"


@dataclass(frozen=True, eq=False)
class ChannelReference:
    """Half-hour channels on leak-free reference days.

    Parameters
    ----------
    days
        The reference days (R), increasing.
    names
        Channels (S): `pressure/<sensor>` in m, then `balance/<zone>` in m3/h.
    is_metered
        Of each channel: a balance against AMR meters (S).
    factor
        Of a balance: what the zone takes in parts of its estimate; NaN for pressures (S).
    usual
        Mean of the measured values (S), NaN where there is none.
    covariance
        Of the half-hour residuals of the pressures (P × P).
    daily
        Mean residual of each day (R × S), NaN where the day cannot be used.
    """

    days: tuple[date, ...]
    names: tuple[str, ...]
    is_metered: tuple[bool, ...]
    factor: Floats
    usual: Floats
    covariance: Floats
    daily: Floats

    @property
    def pressures(self) -> int:
        """Number of pressure channels; they come first."""
        return sum(name.startswith("pressure/") for name in self.names)

    @property
    def zones(self) -> tuple[int, ...]:
        """Numbers of the zones whose balance is a channel, in their order."""
        return tuple(int(name.partition("/")[2]) for name in self.names[self.pressures :])

    @property
    def deviation(self) -> Floats:
        """Standard deviation of half-hour pressure residuals, at least a millimetre (P)."""
        deviation: Floats = np.sqrt(np.maximum(np.diag(self.covariance), _FLOOR_M**2))
        return deviation

    def to_frame(self, network: str) -> pl.DataFrame:
        """Return rows of `features.channel_references`."""
        days = json.dumps([day.isoformat() for day in self.days])
        rows = [
            (
                network,
                name,
                self.is_metered[i],
                _known(self.factor[i]),
                _known(self.usual[i]),
                json.dumps(self.covariance[i].tolist() if i < self.pressures else []),
                days,
                json.dumps([_known(value) for value in self.daily[:, i]]),
            )
            for i, name in enumerate(self.names)
        ]
        return pl.DataFrame(rows, schema=CHANNEL_REFERENCES.polars_schema, orient="row")

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> "ChannelReference | None":
        """Return what rows of `features.channel_references` say (one date and network).

        None where there is no row: the network is learning.
        """
        if frame.is_empty():
            return None
        rows = frame.rows(named=True)
        count = sum(row["channel"].startswith("pressure/") for row in rows)
        daily = [json.loads(row["daily"]) for row in rows]
        return cls(
            tuple(date.fromisoformat(day) for day in json.loads(rows[0]["reference_days"])),
            tuple(row["channel"] for row in rows),
            tuple(row["is_metered"] for row in rows),
            _array([row["factor"] for row in rows]),
            _array([row["usual"] for row in rows]),
            np.array([json.loads(row["covariance"]) for row in rows[:count]]).reshape(count, count),
            np.stack([_array(values) for values in daily], axis=1),
        )

    def same_as(self, other: "ChannelReference") -> bool:
        """Whether both are of the same days and channels and have the same values.

        But for rounding: another processor sums in another order, and that is no other reference.
        """
        return (self.days, self.names, self.is_metered) == (
            other.days,
            other.names,
            other.is_metered,
        ) and all(
            np.allclose(mine, its, rtol=1e-6, atol=1e-12, equal_nan=True)
            for mine, its in (
                (self.factor, other.factor),
                (self.usual, other.usual),
                (self.covariance, other.covariance),
                (self.daily, other.daily),
            )
        )


def half_hour_means(wide: pl.DataFrame) -> pl.DataFrame:
    """Return the means over half-hours, from the first to the last that has a row, without gaps.

    Parameters
    ----------
    wide
        `ts_utc` (begin of the step, increasing) and `<quantity>/<sensor_id>` in SI.
    """
    means = wide.group_by_dynamic("ts_utc", every="30m").agg(pl.exclude("ts_utc").mean())
    return means.upsample("ts_utc", every="30m")


def learn_correction(twin: Twin, wide: pl.DataFrame) -> Calibration:
    """Return the correction that all methods share, from leak-free readings.

    The correction is learned on half-hour means: the noise of single steps in what drives the twin
    would flatten its slopes. Mean and deviation of its residuals are those of single steps.

    Parameters
    ----------
    wide
        As of `half_hour_means`.

    Raises
    ------
    InputError
        No channel has enough usable half-hours.
    """
    steps = Channels.of(twin, wide)
    learned = Channels.of(twin, half_hour_means(wide)).calibrate()
    return learned.with_spread(steps.observed, steps.expected)


def learn_reference(
    twin: Twin, means: pl.DataFrame, days: Sequence[date], calibration: Calibration
) -> ChannelReference:
    """Return how the channels look on leak-free days.

    Parameters
    ----------
    means
        As from `half_hour_means`, with the reference days and, where it is known, the hour before
        each.
    days
        Leak-free days, increasing.
    calibration
        The twin's correction, learned on the same days.

    Raises
    ------
    InputError
        No pressure and no balance can be used.
    """
    seen = [_Day.of(twin, means, day) for day in days]
    names = tuple(c.column for c in calibration.channels if c.quantity == "pressure")
    measured = np.stack([day.pressures(names) for day in seen])
    residual = measured - np.stack([day.corrected(names, calibration) for day in seen])
    for number in range(len(seen)):
        residual[number][:, is_stuck(measured[number])] = np.nan
    # Without a pressure sensor there are no columns: the shape cannot be inferred.
    window = residual.reshape(len(days) * PER_DAY, len(names))
    spread = np.zeros((0, 0))
    if names:
        spread = np.ma.cov(np.ma.masked_invalid(window), rowvar=False).filled(0.0)
        spread = np.asarray(spread, dtype=np.float64).reshape(len(names), len(names))
    balances = [_learned_balance([day.balances[zone] for day in seen]) for zone in seen[0].balances]
    metered = [seen[0].is_metered[zone] for zone in seen[0].balances]
    if not names and not balances:
        raise InputError(
            "no pressure and no zone balance has usable half-hours on the reference days",
            remedy="Name reference days on which sensors deliver",
        )
    usual = [float(mean_of(column, 1)) for column in measured.reshape(window.shape).T]
    reference = ChannelReference(
        tuple(days),
        (*names, *(f"balance/{zone}" for zone in seen[0].balances)),
        (*(False for _ in names), *metered),
        np.array([*(np.nan for _ in names), *(factor for factor, _ in balances)]),
        np.array([*usual, *(value for _, value in balances)]),
        spread,
        np.zeros((0, len(names) + len(balances))),
    )
    daily = [
        np.concatenate(
            [
                robust_day(residual[number], reference.deviation),
                [mean_of(column) for column in day.balance_residuals(reference).T],
            ]
        )
        for number, day in enumerate(seen)
    ]
    return _with_daily(reference, np.stack(daily))


def half_hour_channels(
    network: str,
    twin: Twin,
    means: pl.DataFrame,
    day: date,
    calibration: Calibration,
    reference: ChannelReference,
) -> pl.DataFrame:
    """Return the rows of `features.channels_30m` of a day so far.

    They depend on the day's half-hours and the hour before alone, not on how many days are
    computed in one go.

    Parameters
    ----------
    means
        As from `half_hour_means`; rows of other days are not looked at, but for the hour before.
    """
    seen = _Day.of(twin, means, day)
    names = reference.names[: reference.pressures]
    pressures, corrected = seen.pressures(names), seen.corrected(names, calibration)
    taken, estimate = seen.balance_parts(reference)
    measured = np.concatenate([pressures, taken], axis=1)
    expected = np.concatenate([corrected, estimate], axis=1)
    residual = measured - expected
    steps, count = measured.shape
    channels = pl.DataFrame(
        {
            "network": pl.repeat(network, steps * count, eager=True),
            "ts_utc": seen.ts_utc.gather(np.repeat(np.arange(steps), count)),
            "channel": pl.Series(reference.names, dtype=pl.String).gather(
                np.tile(np.arange(count), steps)
            ),
            "measured": pl.Series(measured.ravel()).fill_nan(None),
            "expected": pl.Series(expected.ravel()).fill_nan(None),
            "residual": pl.Series(residual.ravel()).fill_nan(None),
            "mask": np.isfinite(residual).ravel().astype(np.int8),
        },
        schema=CHANNELS_30M.polars_schema,
    )
    return pl.concat([channels, *(_transfer_rows(network, seen, name) for name in twin.transfers)])


def _transfer_rows(network: str, seen: "_Day", meter: str) -> pl.DataFrame:
    """Return the rows of a flow between two zones, m3/h: nothing is expected of it."""
    flow = seen.transfer(meter)
    nothing = pl.repeat(None, len(flow), dtype=pl.Float64, eager=True)
    return pl.DataFrame(
        {
            "network": pl.repeat(network, len(flow), eager=True),
            "ts_utc": seen.ts_utc,
            "channel": pl.repeat(f"{TRANSFER}{meter}", len(flow), eager=True),
            "measured": pl.Series(flow).fill_nan(None),
            "expected": nothing,
            "residual": nothing,
            "mask": np.zeros(len(flow), dtype=np.int8),
        },
        schema=CHANNELS_30M.polars_schema,
    )


@dataclass(frozen=True, eq=False)
class _Day:
    """Measured and expected of a day's half-hours so far (T ≤ 48)."""

    ts_utc: pl.Series
    measured: pl.DataFrame
    expected: pl.DataFrame
    balances: Mapping[int, Floats]
    is_metered: Mapping[int, bool]
    flows: pl.DataFrame

    @classmethod
    def of(cls, twin: Twin, means: pl.DataFrame, day: date) -> "_Day":
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        at = pl.col("ts_utc")
        # Without gaps: what was not delivered is missing, and the day goes on.
        last = means.filter(at >= midnight, at < midnight + timedelta(days=1))["ts_utc"].max()
        begin = midnight - LEAD_IN
        end = last if isinstance(last, datetime) else midnight - HALF_HOUR
        grid = pl.DataFrame({"ts_utc": pl.datetime_range(begin, end, HALF_HOUR, eager=True)})
        frame = grid.cast({"ts_utc": means.schema["ts_utc"]}).join(
            means.filter(at >= begin, at <= end), on="ts_utc", how="left", maintain_order="left"
        )
        lead = int(LEAD_IN / HALF_HOUR)
        taken = twin.zone_consumption(frame)
        estimates = {zone: twin.zone_estimate(frame, zone) for zone in taken}
        return cls(
            frame["ts_utc"][lead:],
            twin.observed_channels(frame)[lead:],
            twin.expected(frame)[lead:],
            {
                zone: np.stack([taken[zone][lead:], estimates[zone][0][lead:]], axis=1)
                for zone in taken
            },
            {zone: estimates[zone][1] for zone in taken},
            frame.select(f"flow/{name}" for name in twin.transfers if f"flow/{name}" in frame)[
                lead:
            ],
        )

    def transfer(self, meter: str) -> Floats:
        """Return the flow through a meter between two zones, m3/h (T)."""
        (flow,) = _columns(self.flows, [f"flow/{meter}"]).T
        return np.asarray(flow * M3_PER_H, dtype=np.float64)

    def pressures(self, names: Sequence[str]) -> Floats:
        """Return the measured pressures (T × P)."""
        return _columns(self.measured, names)

    def corrected(self, names: Sequence[str], calibration: Calibration) -> Floats:
        """Return the expected pressures with the correction (T × P)."""
        return _columns(calibration.corrected(self.expected), names)

    def balance_parts(self, reference: ChannelReference) -> tuple[Floats, Floats]:
        """Return what zones take and what they should take, m3/h (T × Z each)."""
        zones = reference.zones
        missing = np.full((len(self.ts_utc), 2), np.nan)
        parts = [self.balances.get(zone, missing) for zone in zones]
        factor = reference.factor[reference.pressures :]
        taken = [part[:, 0] * M3_PER_H for part in parts]
        estimate = [part[:, 1] * f * M3_PER_H for part, f in zip(parts, factor, strict=True)]
        shape = (len(self.ts_utc), len(zones))
        return (
            np.array(taken).reshape(shape[::-1]).T,
            np.array(estimate).reshape(shape[::-1]).T,
        )

    def balance_residuals(self, reference: ChannelReference) -> Floats:
        """Return what zones take beyond what they should, m3/h (T × Z)."""
        taken, estimate = self.balance_parts(reference)
        return taken - estimate


def _learned_balance(days: Sequence[Floats]) -> tuple[float, float]:
    """Return what a zone takes in parts of its estimate, and what it takes usually, m3/h.

    A zone of which the model expects nothing has no factor, and so no balance that can be judged.
    """
    taken, estimate = np.concatenate(days).T
    known = np.isfinite(taken) & np.isfinite(estimate)
    if not known.any():
        return 1.0, np.nan
    expected = float(estimate[known].sum())
    factor = float(taken[known].sum()) / expected if expected else np.nan
    return factor, float(taken[known].mean()) * M3_PER_H


def _with_daily(reference: ChannelReference, daily: Floats) -> ChannelReference:
    return ChannelReference(
        reference.days,
        reference.names,
        reference.is_metered,
        reference.factor,
        reference.usual,
        reference.covariance,
        daily,
    )


def is_stuck(values: Floats) -> NDArray[np.bool_]:
    """Say for each channel whether all its values of a day are the same (S)."""
    known = np.isfinite(values)
    highest = np.where(known, values, -np.inf).max(axis=0)
    lowest = np.where(known, values, np.inf).min(axis=0)
    return known.any(axis=0) & (highest - lowest < _STUCK_M)


def robust_day(values: Floats, deviation: Floats) -> Floats:
    """Return the mean of a day per channel (S), NaN where the sensor was out, stuck or noisy."""
    out = np.full(values.shape[1], np.nan)
    usable = np.isfinite(values).sum(axis=0) >= _LEAST_PER_DAY
    if not usable.any():
        return out
    column, width = values[:, usable], deviation[usable]
    edge = _SPIKE_WINDOW // 2
    padded = np.pad(column, ((edge, edge), (0, 0)), mode="edge")
    window = np.lib.stride_tricks.sliding_window_view(padded, _SPIKE_WINDOW, axis=0)
    with np.errstate(invalid="ignore"):
        middle = np.ma.median(np.ma.masked_invalid(window), axis=2).filled(np.nan)
        far = np.abs(column - middle) > np.maximum(_SPIKE * width, _SPIKE_M)
    kept = np.ma.masked_invalid(np.where(far, np.nan, column))
    bend = np.ma.abs(kept[:-2] - 2 * kept[1:-1] + kept[2:])
    # Of white noise a second difference has six times the variance.
    scatter = _NORMAL_PER_MAD * np.ma.median(bend, axis=0).filled(np.inf) / np.sqrt(6.0)
    is_known = (~np.ma.getmaskarray(kept)).sum(axis=0) >= _LEAST_PER_DAY
    is_quiet = scatter <= np.maximum(_NOISY * width, _NOISY_M)
    out[usable] = np.where(is_known & is_quiet, kept.mean(axis=0).filled(np.nan), np.nan)
    return out


def mean_of(values: Floats, least: int = _LEAST_PER_DAY) -> float:
    """Return the mean of what is known, NaN where that is too little."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) >= least else np.nan


def _columns(frame: pl.DataFrame, names: Sequence[str]) -> Floats:
    missing = np.full(frame.height, np.nan)
    found = [numbers(frame[name]) if name in frame.columns else missing for name in names]
    return np.array(found, dtype=np.float64).reshape(len(names), frame.height).T


def numbers(values: pl.Series) -> Floats:
    """Return a column as numbers, NaN for null."""
    # An expression on a single column costs more than the column: null becomes NaN on the way.
    return (values if values.dtype == pl.Float64 else values.cast(pl.Float64)).to_numpy()


def _known(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
