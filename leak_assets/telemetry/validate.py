"""From the raw log of a day to validated readings: units, grid, gaps, outlier flags.

Every rule leaves its trace in quality, flags and mask; no value is dropped for being unusual, or
impossible.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.quality.reasons import BAD, LINEAR, SUSPECT, Reason
from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import Sensor, SensorLayout
from leak_assets.telemetry.readers.cells import UNDECLARED
from leak_assets.units import si_conversion, unit_choices
from leak_assets.warehouse.schemas.telemetry import GAPS, READINGS

from .counters import flows_of_counters
from .judged import Delivered, judged, last_runs
from .on_grid import Grid, gaps, in_order, on_grid, runs_of
from .unusable import unusable_frame

_SENSOR = ("sensor_id", "quantity")
_UTC_US = pl.Datetime("us", "UTC")
_QUALITIES = ("good", "estimated", "bad", "missing", "suspect")
_REASONS = ("out_of_range", "unknown_sensor", "unknown_unit")


def validate_day(
    raw: pl.DataFrame,
    *,
    network: str,
    layout: SensorLayout,
    contract: Contract,
    day: date,
    previous: pl.DataFrame | None = None,
    reference_stats: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the validated readings of a day, its gaps, and what could not be used.

    1. The latest delivery of a reading counts.
    2. Values become SI; registers of counters become the flows between them (`counters`).
    3. A reading belongs to the first step of the grid at or after its time stamp, so no step
       holds anything later than itself (no look-ahead); of several in a step the last counts.
    4. The grid runs from the first to the last observed step of the network's day, never into
       the future, for all sensors of the quantities that were observed.
    5. Gaps of at most `max_interpolated_steps` between two observed steps are filled linearly:
       quality `estimated`, flag 2, mask 0, because an estimate must not raise or hide a leak.
       Longer or open gaps stay null: quality `missing`, flag 4, mask 0.
    6. A value outside of the contract's range is flagged `range`: it stands there as it came,
       quality `bad`, mask 0, and no other value is judged by it. It is told besides.
    7. What a value or its time stamp shows (`judged`) is flagged: suspect values stay usable,
       bad ones get mask 0. No value is dropped.

    Parameters
    ----------
    raw
        Rows of `telemetry.raw_readings` of the day and network.
    network, layout, contract
        What the readings are judged against.
    day
        The UTC day.
    previous
        Raw rows of the day before. With them gaps across midnight are seen whole, and readings
        after the last step of that day (off the grid, e.g. 23:57) count for 00:00.
    reference_stats
        As of `reference_statistics`; without it nothing is compared with the reference.

    Returns
    -------
    tuple of polars.DataFrame
        Rows of `telemetry.readings`, `telemetry.gaps`, `telemetry.unusable_readings`.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    step = timedelta(seconds=contract.cadence_s)
    tail_start = start - (contract.max_interpolated_steps + 2) * step
    runs: Callable[[Sequence[str]], pl.DataFrame] | None = None
    rows = raw
    if previous is not None:
        is_tail = previous.get_column("ts_utc") > tail_start
        runs = partial(_runs_before, previous, ~is_tail, layout, contract)
        rows = pl.concat([previous.filter(is_tail), raw], rechunk=True)
    known, unusable = _in_si(rows, layout, contract)
    told = unusable_frame(unusable, raw, layout, contract, network)
    first_step = int(start.timestamp()) // contract.cadence_s
    end_step = first_step + 86_400 // contract.cadence_s
    grid = on_grid(known, layout, contract.cadence_s, first_step=first_step, end_step=end_step)
    if grid is None:
        return READINGS.empty(), GAPS.empty(), told
    values, flags = _values(grid, runs, contract, all_possible=unusable.is_empty())
    is_impossible = (flags & int(Reason.RANGE)) != 0
    believed = np.where(is_impossible, np.nan, values)
    flags |= judged(grid, believed, Delivered(known, runs), contract, reference_stats)
    fill = gaps(believed, contract.max_interpolated_steps)
    day_of_grid = _Day(
        grid,
        np.where(is_impossible, values, fill.filled),
        flags,
        np.isnan(believed) & ~is_impossible,
        fill.is_filled & ~is_impossible,
        max(first_step - grid.first_step, 0),
        network,
    )
    return day_of_grid.readings(), day_of_grid.gaps(), told


def _values(
    grid: Grid,
    runs: Callable[[Sequence[str]], pl.DataFrame] | None,
    contract: Contract,
    *,
    all_possible: bool,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the values of the steps in SI, of counters flows, and their flags (S × T).

    NaN where there is none; impossible values stay, flagged `range`.
    """
    delivered = grid.matrix("value_si")
    if all_possible:
        return flows_of_counters(grid, delivered, runs, contract)
    # NaN, not 0, where there is no reading.
    is_impossible = grid.matrix("is_possible") == 0
    values, flags = flows_of_counters(
        grid, np.where(is_impossible, np.nan, delivered), runs, contract
    )
    flags[is_impossible] |= int(Reason.RANGE)
    # A register says nothing of the flow at its step. A finite number of the unit that was
    # delivered can be beyond all numbers in SI.
    is_value = np.array([sensor.counter is None for sensor in grid.sensors])[:, None]
    is_shown = is_impossible & is_value & np.isfinite(delivered)
    return np.where(is_shown, delivered, values), flags


@dataclass(frozen=True, eq=False)
class _Day:
    """A judged grid, and from which of its steps on it is the day's (S × T)."""

    grid: Grid
    values: NDArray[np.float64]
    flags: NDArray[np.int64]
    is_missing: NDArray[np.bool_]
    is_filled: NDArray[np.bool_]
    first: int
    network: str

    def readings(self) -> pl.DataFrame:
        """Return the day's steps as rows of `telemetry.readings`."""
        grid, first = self.grid, self.first
        is_missing, is_filled = self.is_missing[:, first:], self.is_filled[:, first:]
        flags = self.flags[:, first:].copy()
        flags[is_filled] |= int(Reason.INTERPOLATED)
        flags[is_missing & ~is_filled] |= int(Reason.GAP)
        is_bad = (self.flags[:, first:] & int(BAD)) != 0
        is_suspect = (self.flags[:, first:] & int(SUSPECT)) != 0
        quality = np.select([is_filled, is_bad, is_missing, is_suspect], [1, 2, 3, 4], 0)
        rows = grid.rows[:, first:].ravel()
        sensor = np.repeat(np.arange(grid.shape[0]), grid.shape[1] - first)
        found = pl.Series(rows, dtype=pl.Int64)
        if (rows < 0).any():
            found = found.set(found < 0, None)
        delivered = grid.raw.select(
            pl.col(name).gather(found) for name in ("received_at", "source", "message_id")
        )
        names = {
            "sensor_id": [s.sensor_id for s in grid.sensors],
            "quantity": [s.quantity for s in grid.sensors],
        }
        value = self.values[:, first:].ravel()
        offset = grid.offset_s[:, first:].ravel()
        columns = {
            **{name: pl.Series(texts).gather(sensor) for name, texts in names.items()},
            "ts_utc": pl.Series(np.tile(grid.step_us[first:], grid.shape[0])).cast(_UTC_US),
            "value_si": pl.Series(value, nan_to_null=True),
            "quality": pl.Series(_QUALITIES).gather(quality.ravel()),
            "flags": flags.ravel(),
            "mask": (~is_missing & ~is_bad).ravel().astype(np.int8),
            "offset_s": pl.Series(offset, nan_to_null=True).cast(pl.Int64),
            **delivered.to_dict(),
        }
        frame = pl.DataFrame(columns).with_columns(
            pl.lit(self.network).alias("network"), pl.lit(None, pl.String).alias("estimator")
        )
        if is_filled.any():
            made_up = pl.Series(is_filled.ravel())
            frame = frame.with_columns(pl.when(made_up).then(pl.lit(LINEAR)).alias("estimator"))
        return frame.select(READINGS.polars_schema.names())

    def gaps(self) -> pl.DataFrame:
        """Return each run of missing steps of the day as a row of `telemetry.gaps`."""
        first = self.first
        sensor, begin, end = runs_of(self.is_missing[:, first:])
        if not len(sensor):
            return GAPS.empty()
        clock = pl.Series(self.grid.step_us[first:]).cast(_UTC_US)
        sensors = [self.grid.sensors[number] for number in sensor]
        is_filled = self.is_filled[:, first:][sensor, begin]
        return pl.DataFrame(
            {
                "sensor_id": [s.sensor_id for s in sensors],
                "quantity": [s.quantity for s in sensors],
                "gap_start": clock.gather(begin),
                "gap_end": clock.gather(end - 1),
                "steps": end - begin,
                "treatment": ["interpolated" if filled else "masked" for filled in is_filled],
            }
        ).select(pl.lit(self.network).alias("network"), pl.all())


def _in_si(
    raw: pl.DataFrame, layout: SensorLayout, contract: Contract
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return raw rows in SI, and those that cannot be used with `reason`.

    Readers have looked for sensors and units already. Other sources write the raw log too, and
    the layout may have changed since.

    Returns
    -------
    tuple of polars.DataFrame
        Rows of known sensors and units with `number`, `value_si` and `is_possible`; rows of
        others, and of impossible values once more.
    """
    kinds, lengths = _runs_of_kinds(raw)
    known = {(s.sensor_id, s.quantity): (n, s) for n, s in enumerate(in_order(layout))}
    # The tail of the day before has the same kinds once more.
    found = {
        (sensor_id, quantity, unit): _judged_kind(sensor_id, quantity, unit, known, contract)
        for sensor_id, quantity, unit in kinds.unique().iter_rows()
    }
    judged = [found[kind] for kind in kinds.iter_rows()]
    number, factor, offset, low, high = (
        (np.repeat(np.array(column, dtype=float), lengths) for column in zip(*judged, strict=True))
        if judged
        else (np.empty(0),) * 5
    )
    with np.errstate(over="ignore"):
        value_si = raw.get_column("value").to_numpy() * factor + offset
    is_good = (value_si >= low) & (value_si <= high)
    numbered = raw.with_columns(
        pl.Series("number", number).cast(pl.Int64),
        pl.Series("value_si", value_si),
        pl.Series("is_possible", is_good),
    )
    if is_good.all():
        return numbered, raw.clear().with_columns(pl.lit("").alias("reason"))
    reason = np.select([number < 0, np.isnan(factor)], [1, 2], 0)
    unusable = raw.filter(~is_good).with_columns(
        pl.Series(_REASONS).gather(reason[~is_good]).alias("reason")
    )
    return numbered.filter(reason == 0), unusable


def _runs_of_kinds(raw: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Return sensor, quantity and unit where they change from row to row, and how long they stay.

    The raw log is in order of sensors: a hundred runs instead of thirty thousand look-ups.
    """
    kind = raw.select(*_SENSOR, "unit")
    changes = kind.select(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in kind.columns)
    )
    starts = np.flatnonzero(changes.to_series().to_numpy())
    return kind[starts], np.diff(starts, append=raw.height)


def _judged_kind(
    sensor_id: str,
    quantity: str,
    unit: str,
    known: Mapping[tuple[str, str], tuple[int, Sensor]],
    contract: Contract,
) -> tuple[float, float, float, float, float]:
    """Return a sensor's number, factor and offset of a unit to SI, the range of what is possible.

    -1 for a sensor that is not known, NaN for a unit that does not measure its quantity.
    """
    number, sensor = known.get((sensor_id, quantity), (-1, None))
    if sensor is None:
        return -1, np.nan, np.nan, np.nan, np.nan
    # Without a declared unit the layout's counts.
    in_unit = sensor.unit if unit == UNDECLARED else unit
    if in_unit not in unit_choices(sensor.delivered):
        return number, np.nan, np.nan, np.nan, np.nan
    allowed = contract.quantities[sensor.delivered]
    return number, *si_conversion(sensor.delivered, in_unit), allowed.min, allowed.max


def _runs_before(
    previous: pl.DataFrame,
    is_before: pl.Series,
    layout: SensorLayout,
    contract: Contract,
    sensor_ids: Sequence[str],
) -> pl.DataFrame:
    """Return the last row of sensors, if it could be true, and how often in a row it came."""
    rows = last_runs(previous.filter(is_before), sensor_ids)
    return _in_si(rows, layout, contract)[0].filter("is_possible")
