"""Meters that people say were changed: which sensors begin anew on a day.

The words of people stand in the maintenance calendar; what is forgotten of a sensor is of
`sensor_days`.
"""

from datetime import date, timedelta

import polars as pl

from leak_assets.pipeline.work import Work
from leak_assets.warehouse import Input

METER_CHANGE = "meter_change"
_EVENTS = "incidents.calendar_events"


def changed_sensors(work: Work, day: date) -> frozenset[str]:
    """Return the sensors that begin anew on a day.

    The days of the work are of the old meter and the new one; the day after it is the first of
    the new one alone.
    """
    return frozenset(str(row["sensor_id"]) for row in _of(work, day))


def change_inputs(work: Work, day: date) -> list[Input]:
    """Return the entries of the calendar that a day follows from, as inputs of its write."""
    return [
        Input("setting", f"{METER_CHANGE}:{row['sensor_id']}", "", str(row["entry_id"]))
        for row in _of(work, day)
    ]


def no_changes(_work: Work) -> tuple[Input, ...]:
    """Return nothing: each day follows from its own entries."""
    return ()


def _of(work: Work, day: date) -> list[dict[str, object]]:
    entries = _in_force(work).filter(
        pl.col("begin_at").dt.date() <= day,
        pl.col("end_at").dt.date() >= day - timedelta(days=1),
    )
    return entries.sort("sensor_id", "entry_id").to_dicts()


def _in_force(work: Work) -> pl.DataFrame:
    if "meter_changes" not in work.memo:
        events = work.warehouse.read_all(_EVENTS, network=work.site.name)
        removed = events.filter(event="removed").get_column("entry_id")
        work.memo["meter_changes"] = events.filter(
            pl.col("kind") == METER_CHANGE, ~pl.col("entry_id").is_in(removed.implode())
        )
    found: pl.DataFrame = work.memo["meter_changes"]
    return found
