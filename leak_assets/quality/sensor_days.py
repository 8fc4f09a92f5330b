"""A sensor's day against the days before: clocks, time stamps, units, balances.

A day goes on from the sensor's row of the day before it, which holds what is usual; nothing else of
the past is read. What is usual is learned from days on which nothing was wrong.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.sites.contract import Contract
from leak_assets.warehouse.schemas.telemetry import SENSOR_QUALITY_DAILY

from .balance import ALARM, SLACK, Balance, cumulated, meter_gain
from .clock_shift import Lags, lags, shifted
from .health import COUNTS, SENSOR, WRONG_DAY_WORTH, day_counts, with_silence
from .reasons import Reason, names_of
from .timestamp_drift import drifted, mean_offset
from .unit_step import levels_of, unit_ratios

Floats = NDArray[np.float64]

# Days that are needed before one can be unusual, and how fast the usual follows.
LEAST_DAYS = 3
_FOLLOWS, _FOLLOWS_SLOWLY = 0.2, 0.02
# Quantities that move together; levels lag by nature, customers' meters are noise.
_TOGETHER = ("pressure", "flow")
# Part of a day that must be over before its levels are compared.
_ENOUGH_OF_A_DAY = 0.75
_DAY_S = 86_400
_LEVELS = ("low_si", "median_si", "high_si")
_STATE = (
    "days_known",
    "usual_lag_s",
    "usual_offset_s",
    *(f"usual_{name}" for name in _LEVELS),
    "usual_gain",
    "gain_high",
    "gain_low",
)


@dataclass(eq=False)
class _Day:
    """Sensors of a day (S) as arrays, with what was usual until then."""

    names: list[str]
    values: Floats
    offset_s: Floats
    cadence_s: int
    state: dict[str, Floats]
    found: NDArray[np.int64] = field(init=False)
    words: list[list[str]] = field(init=False)
    new: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.found = np.zeros(len(self.names), dtype=np.int64)
        self.words = [[] for _ in self.names]

    def tell(self, reason: Reason, which: NDArray[np.bool_], words: Sequence[str]) -> None:
        """Note a reason for some sensors, with words for each of them."""
        for place in np.flatnonzero(which).tolist():
            self.found[place] |= int(reason)
            self.words[place].append(words[place])

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Whether enough days have been seen for one to be unusual (S)."""
        return np.nan_to_num(self.state["days_known"]) >= LEAST_DAYS


def sensor_days(
    readings: pl.DataFrame,
    before: pl.DataFrame | None,
    contract: Contract,
    *,
    network: str,
    day: date,
    balances: Sequence[Balance] = (),
    changed: Collection[str] = (),
) -> pl.DataFrame:
    """Return rows of `telemetry.sensor_quality_daily` of a day so far.

    Parameters
    ----------
    readings
        Rows of `telemetry.readings` of the day.
    before
        Rows of `telemetry.sensor_quality_daily` of the newest day before it.
    balances
        Of the network's zones.
    changed
        Sensors that are others than the day before: what was usual of them is forgotten.
    """
    if readings.is_empty():
        return SENSOR_QUALITY_DAILY.empty()
    counts = day_counts(readings)
    if before is not None:
        last = before.select(*SENSOR, pl.col("last_reading_at").alias("last_before"))
        counts = counts.join(last, on=list(SENSOR), how="left", maintain_order="left").with_columns(
            pl.coalesce("last_reading_at", "last_before").alias("last_reading_at")
        )
    seen = _as_arrays(readings, counts, before, contract)
    if changed:
        _forget(seen, changed, balances)
    _judge_clocks(seen)
    _judge_stamps(seen)
    _judge_units(seen)
    _judge_balances(seen, balances)
    rows = _as_rows(with_silence(counts, contract.max_age_s), seen, contract, network, day)
    if before is None:
        return rows
    return pl.concat([rows, _silent_all_day(before, rows)]).sort("quantity", "sensor_id")


def _silent_all_day(before: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each sensor whose quantity nobody delivered: what it was stays usual."""
    day_end = pl.lit(rows.get_column("day_end_at").max())
    age = (day_end - pl.col("last_reading_at")).dt.total_microseconds() / 1e6
    nothing = ("lag_s", "offset_s", *_LEVELS, "gain")
    return (
        before.join(rows, on=list(SENSOR), how="anti")
        .with_columns(
            pl.lit(rows.get_column("day")[0]).alias("day"),
            *(pl.lit(0, pl.Int64).alias(name) for name in COUNTS),
            *(pl.lit(None, pl.Float64).alias(name) for name in nothing),
            pl.lit(0.0).alias("health"),
            pl.lit(int(Reason.SILENT)).alias("reasons"),
            pl.lit(names_of(Reason.SILENT)).alias("reason_names"),
            pl.lit("").alias("evidence"),
            pl.lit(True).alias("is_silent"),
            day_end.alias("day_end_at"),
            age.alias("age_s"),
        )
        .select(pl.col(n).cast(t) for n, t in SENSOR_QUALITY_DAILY.polars_schema.items())
    )


def _as_arrays(
    readings: pl.DataFrame, counts: pl.DataFrame, before: pl.DataFrame | None, contract: Contract
) -> _Day:
    rows = readings.sort("quantity", "sensor_id", "ts_utc")
    value = pl.when(pl.col("mask") == 1).then("value_si")
    values, offset = (
        rows.select(column.cast(pl.Float64).fill_null(np.nan))
        .to_series()
        .to_numpy()
        .reshape(counts.height, -1)
        for column in (value, pl.col("offset_s"))
    )
    if before is None:
        state = {name: np.full(counts.height, np.nan) for name in _STATE}
    else:
        known = counts.select(*SENSOR).join(
            before.select(*SENSOR, *_STATE), on=list(SENSOR), how="left", maintain_order="left"
        )
        state = {
            name: known.get_column(name).cast(pl.Float64).fill_null(np.nan).to_numpy()
            for name in _STATE
        }
    names = counts.select(pl.concat_str("quantity", pl.lit("/"), "sensor_id")).to_series().to_list()
    return _Day(names, values, offset, contract.cadence_s, state)


def _forget(day: _Day, changed: Collection[str], balances: Sequence[Balance]) -> None:
    """Take what was usual from changed sensors, and the gain from all meters of their zones."""
    is_new = np.array([name.partition("/")[2] in changed for name in day.names])
    anew = {name for name, new in zip(day.names, is_new, strict=True) if new}
    of_zones = {m for b in balances for m, _ in b.meters if anew & {name for name, _ in b.meters}}
    in_zones = np.array([name in of_zones for name in day.names])
    for name in _STATE:
        which = is_new | in_zones if "gain" in name else is_new
        day.state[name] = np.where(which, np.nan, day.state[name])


def _judge_clocks(day: _Day) -> None:
    together = np.array([name.split("/")[0] in _TOGETHER for name in day.names])
    found = _of_some(lags(day.values[together], day.cadence_s), together)
    usual = day.state["usual_lag_s"]
    is_off = shifted(found, usual) & day.is_known
    day.tell(
        Reason.CLOCK_DRIFT,
        is_off,
        [
            f"sees changes {lag / 60:.1f} min late against the other sensors"
            f" (correlation {share:.2f}, {gain:.2f} more than without a lag)"
            for lag, share, gain in zip(found.lag_s, found.correlation, found.gain, strict=True)
        ],
    )
    day.new["lag_s"] = found.lag_s
    day.new["usual_lag_s"] = _followed(usual, np.where(is_off, np.nan, found.lag_s), _FOLLOWS)


def _of_some(found: Lags, which: NDArray[np.bool_]) -> Lags:
    """Return the lags of all sensors, NaN for those that were left out."""
    spread = []
    for values in (found.lag_s, found.correlation, found.gain):
        everyone = np.full(len(which), np.nan)
        everyone[which] = values
        spread.append(everyone)
    return Lags(*spread)


def _judge_stamps(day: _Day) -> None:
    offset = mean_offset(day.offset_s, day.cadence_s)
    usual = day.state["usual_offset_s"]
    is_off = drifted(offset, usual, day.cadence_s) & day.is_known
    day.tell(
        Reason.TIMESTAMP_DRIFT,
        is_off,
        [
            f"time stamps lie {now:.0f} s before the grid, {then:.0f} s used to be"
            for now, then in zip(offset, usual, strict=True)
        ],
    )
    day.new["offset_s"] = offset
    # The first days stay: following would hide what moves slowly.
    day.new["usual_offset_s"] = np.where(np.isnan(usual), offset, usual)


def _judge_units(day: _Day) -> None:
    levels = levels_of(day.values)
    usual = np.stack([day.state[f"usual_{name}"] for name in _LEVELS], axis=1)
    whole = day.values.shape[1] * day.cadence_s >= _ENOUGH_OF_A_DAY * _DAY_S
    ratio = unit_ratios(levels, usual)
    is_off = np.isfinite(ratio) & day.is_known & whole
    day.tell(
        Reason.UNIT_STEP,
        is_off,
        [
            f"low, middle and high values changed by {now / then:.3g} at once, close to {unit:.3g}"
            if np.isfinite(unit)
            else ""
            for now, then, unit in zip(
                levels[:, 1], np.where(usual[:, 1] == 0, np.nan, usual[:, 1]), ratio, strict=True
            )
        ],
    )
    follows = np.where(is_off | (not whole), np.nan, 1.0)
    for number, name in enumerate(_LEVELS):
        day.new[name] = levels[:, number]
        day.new[f"usual_{name}"] = _followed(
            usual[:, number], levels[:, number] * follows, _FOLLOWS
        )


def _judge_balances(day: _Day, balances: Sequence[Balance]) -> None:
    gain_now = np.full(len(day.names), np.nan)
    usual = day.state["usual_gain"]
    high = np.nan_to_num(day.state["gain_high"])
    low = np.nan_to_num(day.state["gain_low"])
    for balance in balances:
        places = [day.names.index(m) for m, _ in balance.meters if m in day.names]
        if len(places) < len(balance.meters):
            continue
        hourly, level = _by_hours(day, balance)
        gain = meter_gain(balance, hourly, level)
        gain_now[places] = gain
        first = places[0]
        if day.is_known[first]:
            high[places], low[places] = cumulated(high[first], low[first], gain, usual[first])
    is_off = np.maximum(high, low) >= ALARM
    day.tell(
        Reason.BALANCE,
        is_off,
        [
            f"reads {now / then - 1:+.1%} against customers' meters and tanks of its zone"
            f" (cumulated {max(above, below):.1%})"
            if np.isfinite(now / then)
            else "does not agree with customers' meters and tanks of its zone"
            for now, then, above, below in zip(gain_now, usual, high, low, strict=True)
        ],
    )
    with np.errstate(invalid="ignore"):
        quiet = np.isnan(usual) | (np.abs(gain_now / usual - 1) < SLACK) | ~day.is_known
    day.new |= {"gain": gain_now, "gain_high": high, "gain_low": low}
    follows = np.where(day.is_known, _FOLLOWS_SLOWLY, _FOLLOWS)
    day.new["usual_gain"] = _followed(usual, np.where(quiet, gain_now, np.nan), follows)


def _by_hours(day: _Day, balance: Balance) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return hourly means of flows, and levels at the begin of hours, of a day's whole hours."""
    per_hour = max(1, round(3600 / day.cadence_s))
    hours = (day.values.shape[1] - 1) // per_hour
    columns = {name: day.values[number] for number, name in enumerate(day.names)}
    wanted = {name for name, _ in balance.meters} | set(balance.customers)
    hourly = {
        # Between the readings at both ends of each hour.
        name: _trapezoid(columns[name], hours, per_hour)
        for name in wanted & set(columns)
    }
    level = {
        name: columns[name][: hours * per_hour + 1 : per_hour]
        for name, *_ in balance.tanks
        if name in columns
    }
    return hourly, level


def _trapezoid(values: Floats, hours: int, per_hour: int) -> Floats:
    between = (values[1:] + values[:-1]) / 2
    return np.asarray(between[: hours * per_hour].reshape(hours, per_hour).mean(axis=1))


def _followed(usual: Floats, value: Floats, share: float | Floats) -> Floats:
    """Return what is usual after a day; a value of NaN changes nothing."""
    moved = np.where(np.isnan(usual), value, usual + share * (value - usual))
    return np.where(np.isnan(value), usual, moved)


def _as_rows(
    counts: pl.DataFrame, day: _Day, contract: Contract, network: str, when: date
) -> pl.DataFrame:
    known = np.nan_to_num(day.state["days_known"])
    seen = np.isfinite(day.values).any(axis=1)
    columns: dict[str, pl.Series] = {
        name: pl.Series(values).fill_nan(None) for name, values in day.new.items()
    }
    wrong = pl.col("wrong") != 0
    return (
        counts.with_columns(
            pl.lit(network).alias("network"),
            pl.lit(when).alias("day"),
            pl.Series("wrong", day.found),
            pl.Series("evidence", ["; ".join(words) for words in day.words]),
            pl.lit(float(contract.max_age_s)).alias("max_age_s"),
            pl.Series("days_known", (known + seen).astype(np.int64)),
            **columns,
        )
        .with_columns(
            (pl.col("reasons") | pl.col("wrong")).alias("reasons"),
            pl.when(wrong)
            .then(pl.col("health") * WRONG_DAY_WORTH)
            .otherwise("health")
            .alias("health"),
        )
        .with_columns(
            pl.col("reasons").map_elements(names_of, return_dtype=pl.String).alias("reason_names")
        )
        .select(pl.col(n).cast(t) for n, t in SENSOR_QUALITY_DAILY.polars_schema.items())
    )
