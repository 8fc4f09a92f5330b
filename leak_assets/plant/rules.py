"""The rules of a plant: spike, drift and dropout, on any number of readings at once.

One function judges a day and a single message alike: what it must remember of the past is the
state that it returns. Where readings come from and where anomalies go is not decided here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.warehouse.schemas.plant import ANOMALIES

from .profile import Limits, RuleProfile

SPIKE, DRIFT, DROPOUT = "spike", "drift", "dropout"
TYPES = (SPIKE, DRIFT, DROPOUT)
ORDER = ("parameter", "sensor_id", "ts_utc")
"""How readings are sorted."""

_MICROSECONDS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SeriesState:
    """Where one parameter of one sensor stands.

    Parameters
    ----------
    last_us
        Time of its last reading, microseconds since 1970.
    side
        1 above its drift limits, -1 below, 0 inside.
    began_us
        First reading of the stretch on that side.
    has_fired
        Whether that stretch was reported as a drift.
    """

    last_us: int
    side: int = 0
    began_us: int = 0
    has_fired: bool = False


@dataclass(frozen=True)
class PlantState:
    """What the rules remember of a plant.

    Parameters
    ----------
    series
        By (parameter, sensor).
    last_heard_us
        Last reading of a sensor, of any parameter, microseconds since 1970.
    silent
        Sensors whose dropout was reported and lasts.
    """

    series: Mapping[tuple[str, str], SeriesState] = field(default_factory=dict)
    last_heard_us: Mapping[str, int] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Judged:
    """Anomalies of some readings, and the state after them.

    Parameters
    ----------
    anomalies
        Columns of `plant.anomalies` except `site`, by time. A dropout that was reported while it
        lasted comes again, under the same `anomaly_id`, when the sensor is heard.
    state
        To go on from.
    late
        Readings that were not judged, because a later one of their series had been.
    """

    anomalies: pl.DataFrame
    state: PlantState
    late: int = 0


def judge(
    readings: pl.DataFrame,
    profile: RuleProfile,
    state: PlantState | None = None,
    *,
    now: datetime | None = None,
) -> Judged:
    """Apply a profile to readings that follow a state.

    A drift is a stretch of readings on one side of the drift limits, without a dropout in it, that
    lasts longer than `drift_duration`; it is reported once, by the first reading that shows it.
    A dropout is reported when the sensor is heard again and, where `now` is given, while it is
    silent; its time is the moment at which the silence grew too long.

    Parameters
    ----------
    readings
        `sensor_id`, `parameter`, `ts_utc`, `value`; sorted by `ORDER`, no time twice in a series.
    state
        After the readings before; None at the beginning.
    now
        The clock: sensors that were not heard for too long until then are silent.
    """
    state = state or PlantState()
    found: list[pl.DataFrame] = []
    series = dict(state.series)
    late = 0
    on_time = []
    for (parameter,), rows in readings.group_by("parameter", maintain_order=True):
        kept = _Rows.of(str(parameter), rows, series)
        late += rows.height - kept.height
        on_time.append(kept)
        found.append(_spikes_and_drifts(kept, profile, series))
    heard = dict(state.last_heard_us)
    silent = set(state.silent)
    found.append(_returns(on_time, profile, heard, silent))
    if now is not None:
        found.append(_silences(profile, heard, silent, now))
    anomalies = pl.concat([_EMPTY, *found]).sort("ts_utc", "anomaly_id", maintain_order=True)
    return Judged(anomalies, PlantState(series, heard, frozenset(silent)), late)


_EMPTY = ANOMALIES.empty().drop("site")


@dataclass(frozen=True)
class _Rows:
    """Readings of one parameter as arrays, by sensor and time.

    `first` are the rows with which a sensor's readings begin, `sensors` its names in order.
    """

    parameter: str
    at_us: NDArray[np.int64]
    value: NDArray[np.float64]
    first: NDArray[np.int64]
    sensors: tuple[str, ...]

    @property
    def height(self) -> int:
        return len(self.at_us)

    @classmethod
    def of(
        cls, parameter: str, rows: pl.DataFrame, series: Mapping[tuple[str, str], SeriesState]
    ) -> "_Rows":
        found = cls._arrays(parameter, rows)
        begins = found.at_us[found.first]
        before = [series.get((parameter, sensor)) for sensor in found.sensors]
        if not any(s and at <= s.last_us for s, at in zip(before, begins, strict=True)):
            return found
        last = {sensor: s.last_us for sensor, s in zip(found.sensors, before, strict=True) if s}
        last_us = pl.col("sensor_id").replace_strict(last, default=None, return_dtype=pl.Int64)
        is_late = (pl.col("ts_utc").dt.epoch("us") <= last_us).fill_null(value=False)
        return cls._arrays(parameter, rows.filter(~is_late))

    @classmethod
    def _arrays(cls, parameter: str, rows: pl.DataFrame) -> "_Rows":
        sensor = rows.get_column("sensor_id")
        lengths = sensor.rle().struct.unnest() if rows.height else None
        sizes = np.empty(0, np.int64) if lengths is None else lengths["len"].to_numpy()
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else sizes
        return cls(
            parameter,
            rows.get_column("ts_utc").dt.epoch("us").to_numpy(),
            rows.get_column("value").to_numpy(),
            first.astype(np.int64),
            () if lengths is None else tuple(lengths["value"].to_list()),
        )

    def sensor_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the sensor of some rows."""
        return np.searchsorted(self.first, rows, side="right") - 1

    def last(self) -> NDArray[np.int64]:
        """Return the last row of each sensor."""
        return np.append(self.first[1:], self.height) - 1


def _side(value: NDArray[np.float64], limits: Limits | None) -> NDArray[np.int8]:
    side = np.zeros(len(value), np.int8)
    if limits is not None and limits.max is not None:
        side[value > limits.max] = 1
    if limits is not None and limits.min is not None:
        side[value < limits.min] = -1
    return side


def _spikes_and_drifts(
    rows: _Rows, profile: RuleProfile, series: dict[tuple[str, str], SeriesState]
) -> pl.DataFrame:
    """Return the spikes and drifts of a parameter; `series` is brought up to date."""
    if not rows.height:
        return _EMPTY
    spike_limits = profile.spike_thresholds.get(rows.parameter)
    drift_limits = profile.drift_thresholds.get(rows.parameter)
    spike_side = _side(rows.value, spike_limits)
    spikes = np.flatnonzero(spike_side)
    side = _side(rows.value, drift_limits)
    beyond = np.flatnonzero(side)
    before = [series.get((rows.parameter, sensor)) for sensor in rows.sensors]
    # Only readings beyond the limits are looked at: they are few.
    sensor = rows.sensor_of(beyond)
    at_us = rows.at_us[beyond]
    previous = np.maximum(beyond - 1, 0)
    is_first = beyond == rows.first[sensor] if len(beyond) else np.empty(0, bool)
    gap_us = int(profile.dropout_s * _MICROSECONDS)
    goes_on = (
        ~is_first & (side[previous] == side[beyond]) & (at_us - rows.at_us[previous] <= gap_us)
    )
    starts = np.flatnonzero(~goes_on)
    run = np.cumsum(~goes_on) - 1
    began_us = at_us[starts].copy()
    has_fired = np.zeros(len(starts), bool)
    for number in np.flatnonzero(is_first[starts]).tolist():
        row = int(starts[number])
        old = before[sensor[row]]
        if old is not None and old.side == side[beyond[row]] and at_us[row] - old.last_us <= gap_us:
            began_us[number] = old.began_us
            has_fired[number] = old.has_fired
    duration_us = at_us - began_us[run]
    over = np.flatnonzero(duration_us > int(profile.drift_duration * _MICROSECONDS))
    fired_runs, first_over = np.unique(run[over], return_index=True)
    is_new = ~has_fired[fired_runs]
    drifts = over[first_over[is_new]]
    has_fired[fired_runs] = True
    last = rows.last()
    place = np.full(rows.height, -1, np.int64) if len(beyond) else None
    if place is not None:
        place[beyond] = run
    for number, row in enumerate(last.tolist()):
        key = (rows.parameter, rows.sensors[number])
        if side[row] == 0 or place is None:
            series[key] = SeriesState(int(rows.at_us[row]))
        else:
            of = place[row]
            series[key] = SeriesState(
                int(rows.at_us[row]), int(side[row]), int(began_us[of]), bool(has_fired[of])
            )
    return pl.concat(
        [
            _rows_of(SPIKE, rows, spikes, spike_side[spikes], spike_limits, None),
            _rows_of(
                DRIFT,
                rows,
                beyond[drifts],
                side[beyond[drifts]],
                drift_limits,
                (began_us[run[drifts]], duration_us[drifts]),
            ),
        ]
    )


def _rows_of(
    kind: str,
    rows: _Rows,
    at: NDArray[np.int64],
    side: NDArray[np.int8],
    limits: Limits | None,
    stretch: tuple[NDArray[np.int64], NDArray[np.int64]] | None,
) -> pl.DataFrame:
    """Return anomalies of some readings: `stretch` is begin and duration in microseconds."""
    if not len(at) or limits is None:
        return _EMPTY
    began_us, duration_us = stretch or (rows.at_us[at], np.zeros(len(at), np.int64))
    threshold = np.where(side > 0, _or_nan(limits.max), _or_nan(limits.min))
    sensors = [rows.sensors[number] for number in rows.sensor_of(at)]
    values = rows.value[at]
    name = rows.parameter.capitalize()
    told = [
        f"{name} {kind} detected: {value:g} {'exceeds' if s > 0 else 'is below'} threshold"
        f" {limit:.1f}" + ("" if stretch is None else f" for {seconds:.1f} s")
        for value, s, limit, seconds in zip(
            values, side, threshold, duration_us / _MICROSECONDS, strict=True
        )
    ]
    return _frame(
        kind,
        sensors,
        rows.parameter,
        rows.at_us[at],
        values,
        began_us,
        None if stretch is None else duration_us / _MICROSECONDS,
        told,
    )


def _returns(
    several: list[_Rows], profile: RuleProfile, heard: dict[str, int], silent: set[str]
) -> pl.DataFrame:
    """Return the dropouts that ended; `heard` and `silent` are brought up to date."""
    limit_us = int(profile.dropout_s * _MICROSECONDS)
    ended: list[tuple[str, int, int]] = []
    for sensor, at_us in _times_by_sensor(several):
        before = heard.get(sensor)
        at = at_us if before is None else np.concatenate([[before], at_us])
        for row in np.flatnonzero(np.diff(at) > limit_us):
            ended.append((sensor, int(at[row]), int(at[row + 1])))
        heard[sensor] = max(int(at_us[-1]), before or 0)
        if before is None or int(at_us[-1]) > before:
            silent.discard(sensor)
    if not ended:
        return _EMPTY
    return _dropouts(
        [s for s, _, _ in ended], [a for _, a, _ in ended], [b for _, _, b in ended], profile
    )


def _silences(
    profile: RuleProfile, heard: Mapping[str, int], silent: set[str], now: datetime
) -> pl.DataFrame:
    """Return the dropouts that last and were not reported yet."""
    now_us = (now - _EPOCH) // timedelta(microseconds=1)
    limit_us = int(profile.dropout_s * _MICROSECONDS)
    new = [s for s, last in heard.items() if now_us - last > limit_us and s not in silent]
    silent.update(new)
    return _dropouts(new, [heard[s] for s in new], None, profile) if new else _EMPTY


def _times_by_sensor(several: list[_Rows]) -> list[tuple[str, NDArray[np.int64]]]:
    """Return the times at which each sensor was heard, of whatever parameter."""
    times: dict[str, list[NDArray[np.int64]]] = {}
    for rows in several:
        for sensor, begin, end in zip(rows.sensors, rows.first, rows.last() + 1, strict=True):
            mine = rows.at_us[begin:end]
            known = times.setdefault(sensor, [])
            # Devices send all parameters together.
            if not any(len(mine) == len(k) and np.array_equal(mine, k) for k in known):
                known.append(mine)
    return [
        (sensor, found[0] if len(found) == 1 else np.unique(np.concatenate(found)))
        for sensor, found in times.items()
    ]


def _dropouts(
    sensors: list[str], last_us: list[int], back_us: list[int] | None, profile: RuleProfile
) -> pl.DataFrame:
    limit_us = int(profile.dropout_s * _MICROSECONDS)
    last = np.array(last_us, np.int64)
    seconds = None if back_us is None else (np.array(back_us, np.int64) - last) / _MICROSECONDS
    limit = f"(limit {profile.dropout_s:g} s)"
    told = [
        f"Dropout detected: no data since {_EPOCH + timedelta(microseconds=at):%H:%M:%S} UTC"
        f" {limit}"
        if seconds is None
        else f"Dropout detected: no data for {seconds[n]:.1f} s {limit}"
        for n, at in enumerate(last_us)
    ]
    return _frame(DROPOUT, sensors, None, last + limit_us, seconds, last, seconds, told)


def _frame(
    kind: str,
    sensors: list[str],
    parameter: str | None,
    at_us: NDArray[np.int64],
    values: NDArray[np.float64] | None,
    began_us: NDArray[np.int64],
    duration_s: NDArray[np.float64] | None,
    messages: list[str],
) -> pl.DataFrame:
    at = pl.from_epoch(pl.Series("ts_utc", at_us), "us").dt.replace_time_zone("UTC")
    began = pl.from_epoch(pl.Series("started_at", began_us), "us").dt.replace_time_zone("UTC")
    frame = pl.DataFrame(
        {
            "type": [kind] * len(sensors),
            "ts_utc": at,
            "sensor_id": sensors,
            "parameter": pl.Series([parameter] * len(sensors), dtype=pl.String),
            "value": pl.Series(values, dtype=pl.Float64)
            if values is not None
            else pl.Series([None] * len(sensors), dtype=pl.Float64),
            "started_at": began,
            "duration_s": pl.Series(duration_s, dtype=pl.Float64)
            if duration_s is not None
            else pl.Series([None] * len(sensors), dtype=pl.Float64),
            "message": messages,
        }
    )
    identity = pl.format(
        "{}:{}:{}:{}",
        "type",
        "sensor_id",
        pl.col("parameter").fill_null("-"),
        pl.col("ts_utc").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
    )
    return frame.with_columns(anomaly_id=identity).select(_EMPTY.columns)


def _or_nan(limit: float | None) -> float:
    return float("nan") if limit is None else limit
