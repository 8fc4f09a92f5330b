"""From the raw log of a day to validated readings: units, grid, gaps, outlier flags.

Every rule leaves its trace in quality, flags and mask; no value is dropped for being unusual.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, cast

import polars as pl

from leak_assets.quality.reasons import BAD, LINEAR, SUSPECT, Reason
from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.telemetry.readers.cells import UNDECLARED
from leak_assets.telemetry.readers.parsed_file import FILE_SOURCE
from leak_assets.telemetry.readers.problems import (
    Problem,
    out_of_range,
    quarantine_frame,
    unknown_sensor,
)
from leak_assets.units import QUANTITIES, si_factor, unit_choices
from leak_assets.warehouse.schemas.telemetry import GAPS, READINGS, UNUSABLE_READINGS

from .judged import Delivered, judged, last_runs
from .on_grid import completed, in_order, on_grid
from .raw import DELIVERY_ORDER

_SENSOR = ("sensor_id", "quantity")


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
    2. Values become SI.
    3. A reading belongs to the first step of the grid at or after its time stamp, so no step
       holds anything later than itself (no look-ahead); of several in a step the last counts.
    4. The grid runs from the first to the last observed step of the network's day, never into
       the future, for all sensors of the quantities that were observed.
    5. Gaps of at most `max_interpolated_steps` between two observed steps are filled linearly:
       quality `estimated`, flag 2, mask 0, because an estimate must not raise or hide a leak.
       Longer or open gaps stay null: quality `missing`, flag 4, mask 0.
    6. What a value or its time stamp shows (`judged`) is flagged: suspect values stay usable,
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
    usable, unusable = _usable(raw, layout, contract)
    runs: Callable[[Sequence[str]], pl.DataFrame] | None = None
    if previous is not None:
        before = previous.filter(pl.col("ts_utc") <= tail_start)
        runs = partial(_runs_before, before, layout, contract)
        tail, _ = _usable(previous.filter(pl.col("ts_utc") > tail_start), layout, contract)
        usable = pl.concat([tail, usable])
    first_step = int(start.timestamp()) // contract.cadence_s
    observed = on_grid(usable, contract.cadence_s).filter(
        pl.col("step") < first_step + 86_400 // contract.cadence_s
    )
    quarantine = _quarantine(unusable, layout, contract, network)
    if (observed.get_column("step") < first_step).all():
        return READINGS.empty(), GAPS.empty(), quarantine
    steps = completed(observed, layout, contract)
    steps = judged(steps, Delivered(usable, unusable, runs), contract, reference_stats)
    steps = steps.filter(pl.col("ts_utc") >= start)
    readings = _marked(steps, network)
    return readings, _gaps(steps, network), quarantine


def _usable(
    raw: pl.DataFrame, layout: SensorLayout, contract: Contract
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return raw rows with `number` and `value_si`, and those that cannot be used with `reason`.

    Readers of files have looked already. Other sources write the raw log too, and layout and
    contract may have changed since.
    """
    layout_units = pl.DataFrame(
        [(s.sensor_id, s.quantity, s.unit) for s in layout.sensors],
        schema=dict.fromkeys((*_SENSOR, "layout_unit"), pl.String),
        orient="row",
    )
    sensors = in_order(layout).with_row_index("number").join(layout_units, on=list(_SENSOR))
    pairs = [(q, u) for q in QUANTITIES for u in unit_choices(q)]
    units = pl.DataFrame(
        {
            "quantity": [q for q, _ in pairs],
            "in_unit": [u for _, u in pairs],
            "factor": [si_factor(q, u) for q, u in pairs],
            "low": [contract.quantities[q].min for q, _ in pairs],
            "high": [contract.quantities[q].max for q, _ in pairs],
        }
    )
    judged = (
        raw.join(sensors, on=["sensor_id", "quantity"], how="left")
        .with_columns(
            # Without a declared unit the layout's counts.
            pl.when(pl.col("unit") == UNDECLARED)
            .then("layout_unit")
            .otherwise("unit")
            .alias("in_unit")
        )
        .join(units, on=["quantity", "in_unit"], how="left")
        .with_columns((pl.col("value") * pl.col("factor")).alias("value_si"))
        .with_columns(
            pl.when(pl.col("number").is_null())
            .then(pl.lit("unknown_sensor"))
            .when(pl.col("factor").is_null())
            .then(pl.lit("unknown_unit"))
            .when(~pl.col("value_si").is_between("low", "high") | pl.col("value_si").is_null())
            .then(pl.lit("out_of_range"))
            .alias("reason")
        )
    )
    is_good = pl.col("reason").is_null()
    return (
        judged.filter(is_good).select(*raw.columns, "number", "value_si"),
        judged.filter(~is_good).select(*raw.columns, "reason"),
    )


def _runs_before(
    raw: pl.DataFrame, layout: SensorLayout, contract: Contract, sensor_ids: Sequence[str]
) -> pl.DataFrame:
    """Return the last usable row of sensors, with how often in a row its value came."""
    return _usable(last_runs(raw, sensor_ids), layout, contract)[0]


def _quarantine(
    unusable: pl.DataFrame, layout: SensorLayout, contract: Contract, network: str
) -> pl.DataFrame:
    """Return unusable raw rows; the raw log knows a delivery by the ids of its messages only."""
    frames = [UNUSABLE_READINGS.empty()]
    name = (
        pl.when(pl.col("source") == FILE_SOURCE)
        .then(pl.lit("sha256:") + pl.col("message_id").str.head(16))
        .otherwise("source")
        .alias("delivery")
    )
    by_delivery = (
        unusable.with_columns(name)
        .sort("source", "delivery", *DELIVERY_ORDER, "quantity", "sensor_id")
        .group_by("source", "delivery", "received_at", maintain_order=True)
    )
    for (source, delivery, received_at), rows in by_delivery:
        problems = [_problem(row, layout, contract) for row in rows.iter_rows(named=True)]
        frames.append(
            quarantine_frame(
                problems,
                network=network,
                file_path=str(delivery),
                source=str(source),
                received_at=cast("datetime", received_at),
            )
        )
    return pl.concat(frames)


def _problem(row: dict[str, Any], layout: SensorLayout, contract: Contract) -> Problem:
    quantity, sensor_id, unit = row["quantity"], row["sensor_id"], row["unit"]
    if row["reason"] == "unknown_sensor":
        words = unknown_sensor(sensor_id, quantity, layout.network, layout.ids(quantity))
    elif row["reason"] == "unknown_unit":
        words = (
            f"unit `{unit}` does not measure {quantity}",
            f"Declare one of {', '.join(unit_choices(quantity))}",
        )
    else:
        unit = unit or next(
            s.unit for s in layout.sensors if (s.sensor_id, s.quantity) == (sensor_id, quantity)
        )
        words = out_of_range(row["raw_text"], unit, quantity, contract.quantities[quantity])
    return Problem(
        row=row["sequence"],
        column=f"{quantity}/{sensor_id}",
        text=row["raw_text"],
        reason=row["reason"],
        problem=words[0],
        remedy=words[1],
        ts_utc=row["ts_utc"],
        message_id=row["message_id"],
    )


def _marked(steps: pl.DataFrame, network: str) -> pl.DataFrame:
    """Return the judged steps as rows of `telemetry.readings`."""
    flags = (
        pl.col("flags")
        + pl.col("is_filled").cast(pl.Int64) * int(Reason.INTERPOLATED)
        + (pl.col("is_missing") & ~pl.col("is_filled")).cast(pl.Int64) * int(Reason.GAP)
    )
    is_bad = (pl.col("flags") & int(BAD)) != 0
    return (
        steps.with_columns(
            pl.lit(network).alias("network"),
            pl.when("is_filled").then("filled").otherwise("value_si").alias("value_si"),
            pl.when("is_filled")
            .then(pl.lit("estimated"))
            .when(is_bad)
            .then(pl.lit("bad"))
            .when("is_missing")
            .then(pl.lit("missing"))
            .when((pl.col("flags") & int(SUSPECT)) != 0)
            .then(pl.lit("suspect"))
            .otherwise(pl.lit("good"))
            .alias("quality"),
            flags.alias("flags"),
            pl.when("is_filled").then(pl.lit(LINEAR)).alias("estimator"),
            (~pl.col("is_missing") & ~is_bad).cast(pl.Int8).alias("mask"),
        )
        .select(READINGS.polars_schema.names())
        .sort("quantity", "sensor_id", "ts_utc")
    )


def _gaps(steps: pl.DataFrame, network: str) -> pl.DataFrame:
    """Return each run of missing steps as a row of `telemetry.gaps`."""
    return (
        steps.filter("is_missing")
        .group_by("run", *_SENSOR, maintain_order=True)
        .agg(
            pl.col("ts_utc").min().alias("gap_start"),
            pl.col("ts_utc").max().alias("gap_end"),
            pl.len().cast(pl.Int64).alias("steps"),
            pl.when(pl.col("is_filled").first())
            .then(pl.lit("interpolated"))
            .otherwise(pl.lit("masked"))
            .alias("treatment"),
        )
        .with_columns(pl.lit(network).alias("network"))
        .select(GAPS.polars_schema.names())
    )
