"""The raw log of one day: union of all deliveries, nothing twice, corrections kept.

Which value of a corrected reading counts is decided in `validate`.
"""

from collections.abc import Sequence

import polars as pl

from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

_READING = ("network", "sensor_id", "quantity", "ts_utc")
_MESSAGE = ("source", "message_id")
# What came later counts; the rest only makes the order the same on every machine.
DELIVERY_ORDER = ("received_at", "sequence", *_MESSAGE)
# A reading's place in a day as one number: its sensor above, microseconds below (12.7 days).
_CLOCK_BITS = 40


def distinct_readings(frames: Sequence[pl.DataFrame]) -> pl.DataFrame | None:
    """Return rows in the order of a day's log where no reading is there twice, else None.

    Most deliveries bring what nobody brought before. To see that, and to sort by one number for
    each row, takes a tenth of sorting by all columns that decide between repeated readings.

    Parameters
    ----------
    frames
        Rows of `telemetry.raw_readings` of one day and network.
    """
    columns = RAW_READINGS.polars_schema.names()
    rows = pl.concat([frame.select(columns) for frame in frames], rechunk=True)
    clock = rows.get_column("ts_utc").to_physical()
    first, last = clock.min(), clock.max()
    if not isinstance(first, int) or not isinstance(last, int) or last - first >> _CLOCK_BITS:
        return None if rows.height else rows
    sensors, _ = _ranks(rows.get_column("sensor_id"))
    quantities, count = _ranks(rows.get_column("quantity"))
    place = (sensors * count + quantities) * (1 << _CLOCK_BITS) + (clock - first)
    order = place.arg_sort()
    steps = place.gather(order).diff()
    if (steps == 0).any():
        return None
    return rows[order]


def _ranks(names: pl.Series) -> tuple[pl.Series, int]:
    """Return the place of each name in alphabetic order, and how many different ones there are."""
    known = names.unique().sort()
    return names.cast(pl.Enum(known)).to_physical().cast(pl.Int64), len(known)


def merge_raw(existing: pl.DataFrame, new: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the raw log of a day with a delivery merged in, and how much was there already.

    A reading that repeats the value last delivered for its sensor and time is a duplicate and is
    not stored again. A different value is a correction and is kept beside the old one; so is a
    value that takes a correction back.

    Parameters
    ----------
    existing
        Rows of `telemetry.raw_readings` of one day and network; may be empty.
    new
        More rows of the same day and network.

    Returns
    -------
    tuple
        The merged rows, sorted by reading and delivery, and the number of rows of `new` that
        were not added. Merging the same rows again changes nothing, so a killed run can be
        repeated.
    """
    distinct = distinct_readings([existing, new])
    if distinct is not None:
        return distinct, 0
    columns = RAW_READINGS.polars_schema.names()
    merged = (
        pl.concat([existing.select(columns), new.select(columns)])
        .sort(*_READING, *DELIVERY_ORDER, nulls_last=True)
        .unique([*_READING, *_MESSAGE], keep="first", maintain_order=True)
    )
    before = pl.struct(*_READING, "value", "unit").shift(1)
    repeats = (before == pl.struct(*_READING, "value", "unit")).fill_null(False)
    merged = merged.filter(~repeats)
    return merged, existing.height + new.height - merged.height


def without_own(new: pl.DataFrame, existing: pl.DataFrame, merged: pl.DataFrame) -> int:
    """Return how many rows were not added by a merge, not counting those that were there already.

    Parameters
    ----------
    new, existing, merged
        Arguments and result of `merge_raw`.

    Returns
    -------
    int
        Rows of `new` that another delivery had brought: another message with the same value, or
        the same message, sent again by its broker. What a killed run left behind of the same
        delivery, received at the same time, is its own.
    """
    key = [*_READING, *_MESSAGE, "received_at"]
    own = new.join(existing, on=key, how="semi").height
    return existing.height + new.height - merged.height - own
