"""A home's raw readings as measured time, with what was wrong with each.

From `telemetry.raw_readings` to `household.readings`; the judging is `meter.take`.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import polars as pl

from leak_assets.units import si_conversion, unit_choices
from leak_assets.warehouse.schemas.household import READINGS

from .context import is_known_occupancy
from .home import Home
from .meter import MOST_PEOPLE, Meter, Reading, take
from .session_frames import STEPS_SCHEMA

# L/min and L of what the SI unit is.
_OF_SI = {"flow": 60_000.0, "volume": 1000.0, "people": 1.0, "occupancy": 1.0}


def known_before(raw: pl.DataFrame | None, readings: pl.DataFrame, home: Home) -> Meter:
    """Return what the next reading is compared with.

    Parameters
    ----------
    raw
        Raw readings of the day before, None where there are none: its last ones are what the
        first of the day are compared with.
    readings
        Readings before, of whatever day: who was at home then is at home still.
    """
    meter = Meter(people=1)
    if readings.height:
        last = readings.sort("ts_utc").row(-1, named=True)
        meter = Meter(occupancy=last["occupancy"], people=last["people"])
    if raw is not None:
        for reading, _ in engine_readings(raw, home, tail=3):
            meter, _, _ = take(meter, reading, home.settings)
        # Said after the day's last reading, it came with none.
        meter = _with_newest(meter, raw, home)
    return meter


def _with_newest(meter: Meter, raw: pl.DataFrame, home: Home) -> Meter:
    said = raw.filter(pl.col("quantity").is_in(["people", "occupancy"])).sort(
        "ts_utc", "received_at", "sequence", maintain_order=True
    )
    for quantity, value in said.select("quantity", "value").iter_rows():
        if quantity == "people" and 0 <= value <= MOST_PEOPLE:
            meter = replace(meter, people=int(value))
        elif quantity == "occupancy":
            word = _word(value, home)
            known = is_known_occupancy(word, home.settings)
            meter = replace(meter, occupancy=word if known else "unknown")
    return meter


def home_readings(raw: pl.DataFrame, meter: Meter, home: Home) -> pl.DataFrame:
    """Return the readings of a day.

    Parameters
    ----------
    raw
        Raw readings of the day.
    meter
        As `known_before` gives it.
    """
    rows = []
    for reading, row in engine_readings(raw, home):
        now_s = row["received_at"].timestamp()
        meter, step, problems = take(meter, reading, home.settings, now_s=now_s)
        if row["two_values"]:
            problems = (*problems, "two_values")
        rows.append(
            {
                "site": home.name,
                "ts_utc": row["ts_utc"],
                "seconds": step.seconds if step else 0.0,
                "flow_l_per_min": step.flow_l_per_min if step else None,
                "hot_l_per_min": step.hot_l_per_min if step else None,
                "occupancy": meter.occupancy,
                "people": meter.people,
                "problem": ",".join(problems) or None,
                "received_at": row["received_at"],
                "source": row["source"],
                "message_id": row["message_id"],
            }
        )
    return pl.DataFrame(rows, schema=READINGS.polars_schema)


def steps_of(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the measured time of readings, by time, as the engine takes it."""
    end_s = pl.col("ts_utc").dt.epoch("us") / 1e6
    return (
        readings.filter(pl.col("seconds") > 0)
        .sort("ts_utc")
        .select(
            start_s=end_s - pl.col("seconds"),
            end_s=end_s,
            flow_l_per_min="flow_l_per_min",
            hot_l_per_min="hot_l_per_min",
            occupancy="occupancy",
            people="people",
        )
        .cast(STEPS_SCHEMA)
    )


def engine_readings(
    raw: pl.DataFrame, home: Home, tail: int | None = None
) -> Iterator[tuple[Reading, dict[str, Any]]]:
    """Yield what the main meter says, by time, each with its raw row.

    Parameters
    ----------
    raw
        Rows of `telemetry.raw_readings`: a day, or what a stream has just brought.
    tail
        Only so many of the last.
    """
    factors = _factors()
    # Of readings of one time, that which was received last counts.
    rows = (
        raw.join(factors, on=["quantity", "unit"])
        .with_columns(
            two_values=pl.col("value").n_unique().over("quantity", "sensor_id", "ts_utc") > 1
        )
        .sort("ts_utc", "received_at", "sequence", maintain_order=True)
        .unique(["quantity", "sensor_id", "ts_utc"], keep="last", maintain_order=True)
        .with_columns(
            value=(pl.col("value") * pl.col("factor") + pl.col("offset")).round_sig_figs(12)
        )
    )
    is_main = (pl.col("quantity") == home.measured) & (pl.col("sensor_id") == home.main)
    main = rows.filter(is_main)
    others = {
        "hot": (pl.col("quantity") == "flow") & (pl.col("sensor_id") == home.hot),
        "people": pl.col("quantity") == "people",
        "occupancy": pl.col("quantity") == "occupancy",
    }
    for name, chosen in others.items():
        known = rows.filter(chosen).select("ts_utc", pl.col("value").alias(name)).sort("ts_utc")
        if name == "hot":
            main = main.join(known.unique("ts_utc"), on="ts_utc", how="left")
        else:
            main = main.sort("ts_utc").join_asof(known, on="ts_utc")
    main = main.sort("ts_utc")
    for row in (main if tail is None else main.tail(tail)).iter_rows(named=True):
        yield _reading(row["ts_utc"].timestamp(), row["value"], row, home), row


def _conversion(quantity: str, unit: str, scale: float) -> dict[str, float]:
    found = si_conversion(quantity, unit)
    return {"factor": found.factor * scale, "offset": found.offset * scale}


@cache
def _factors() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"quantity": quantity, "unit": unit, **_conversion(quantity, unit, scale)}
            for quantity, scale in _OF_SI.items()
            for unit in unit_choices(quantity)
        ]
    )


def _reading(at_s: float, value: float, row: dict[str, Any], home: Home) -> Reading:
    occupancy, people = row["occupancy"], row["people"]
    return Reading(
        at_s,
        value,
        "flow" if home.measured == "flow" else "volume",
        row["hot"],
        None if occupancy is None else _word(occupancy, home),
        None if people is None else int(people),
    )


def _word(value: float, home: Home) -> str:
    code = int(value)
    known = 0 <= code < len(home.occupancy_words)
    return home.occupancy_words[code] if known else f"code {code}"
