"""The raw log of one day: union of all deliveries, nothing twice, corrections kept.

Which value of a corrected reading counts is decided in `validate`.
"""

import polars as pl

from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

_READING = ("network", "sensor_id", "quantity", "ts_utc")
_MESSAGE = ("source", "message_id")
# What came later counts; the rest only makes the order the same on every machine.
DELIVERY_ORDER = ("received_at", "sequence", *_MESSAGE)


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
        Rows of `new` whose value another message had brought. What a killed run left behind of
        the same delivery is its own.
    """
    key = [*_READING, *_MESSAGE]
    own = new.join(existing, on=key, how="semi").height
    return existing.height + new.height - merged.height - own
