"""Thousands of smart meters by the hour: whose water never rests, since when, how much of it.

All meters of a utility are one site; nothing here knows habits. Vectorized over meters.
"""

from datetime import date

import polars as pl

from leak_assets.units import si_factor, unit_choices
from leak_assets.warehouse.schemas.household_meters import CONTINUOUS_FLOW, METER_DAYS

# A full day without an hour of rest, as AMR systems report continuous flow.
CONTINUOUS_H = 24.0
# The mean of a longer interval says nothing of rest.
LONGEST_INTERVAL_H = 3.0
# More does not fit through a meter of a home or of a house of flats.
MOST_L_PER_H = 12_000.0
_L_PER_M3, _S_PER_H, _H_PER_YEAR = 1000.0, 3600.0, 24 * 365.25


def meter_hours(raw: pl.DataFrame, before: pl.DataFrame | None, cadence_s: float) -> pl.DataFrame:
    """Return what each interval of a day says: `meter, ts_utc, hours, l_per_h, problem`.

    Parameters
    ----------
    raw, before
        Raw readings of the day, and those of the day before (None where there are none): a
        counter's last value is what the first of the day is compared with.
    cadence_s
        What a flow stands for.
    """
    parts = [_readings(raw, is_new=True)]
    if before is not None:
        last = _readings(before, is_new=False).filter(pl.col("quantity") == "volume")
        parts.insert(0, last.sort("ts_utc").group_by("meter", maintain_order=True).last()
                     .select(parts[0].columns))  # fmt: skip
    rows = pl.concat(parts).sort("meter", "ts_utc")
    is_counter = pl.col("quantity") == "volume"
    hours = pl.col("ts_utc").diff().over("meter").dt.total_seconds() / _S_PER_H
    drawn_l = pl.col("si").diff().over("meter") * _L_PER_M3
    rows = rows.with_columns(
        hours=pl.when(is_counter).then(hours).otherwise(cadence_s / _S_PER_H),
        l_per_h=pl.when(is_counter)
        .then(drawn_l / hours)
        .otherwise(pl.col("si") * _L_PER_M3 * _S_PER_H),
    )
    problem = (
        pl.when(pl.col("l_per_h").is_null())
        .then(pl.lit("first_reading"))
        .when(is_counter & (pl.col("l_per_h") < 0))
        .then(pl.lit("counter_reset"))
        .when(pl.col("l_per_h") < 0)
        .then(pl.lit("negative_flow"))
        .when(pl.col("l_per_h") > MOST_L_PER_H)
        .then(pl.lit("implausible_flow"))
    )
    return rows.filter("is_new").select("meter", "ts_utc", "hours", "l_per_h", problem=problem)


def _readings(raw: pl.DataFrame, *, is_new: bool) -> pl.DataFrame:
    factors = pl.DataFrame(
        [
            {"quantity": quantity, "unit": unit, "factor": si_factor(quantity, unit)}
            for quantity in ("volume", "flow", "demand")
            for unit in unit_choices(quantity)
        ]
    )
    return (
        raw.join(factors, on=["quantity", "unit"])
        # Of readings of one time, that which was received last counts.
        .sort("received_at", "sequence", maintain_order=True)
        .unique(["sensor_id", "ts_utc"], keep="last", maintain_order=True)
        .select(
            meter="sensor_id",
            ts_utc="ts_utc",
            quantity="quantity",
            si=pl.col("value") * pl.col("factor"),
            is_new=pl.lit(is_new),
        )
    )


def meter_days(hours: pl.DataFrame, former: pl.DataFrame, site: str, day: date) -> pl.DataFrame:
    """Return the rows of `household.meter_days` of a day.

    Missing hours neither count nor end anything: that water rested follows from measured hours
    alone.

    Parameters
    ----------
    hours
        As `meter_hours`.
    former
        Rows of the newest day before.
    """
    usable = pl.col("problem").is_null()
    told = usable & (pl.col("hours") <= LONGEST_INTERVAL_H)
    rests = told & (pl.col("l_per_h") <= 0)
    after = told & (pl.col("last_rest").is_null() | (pl.col("ts_utc") > pl.col("last_rest")))
    begun = pl.col("ts_utc") - pl.duration(milliseconds=pl.col("hours") * _S_PER_H * 1000)
    found = (
        hours.sort("meter", "ts_utc")
        .with_columns(last_rest=pl.col("ts_utc").filter(rests).max().over("meter"))
        .group_by("meter")
        .agg(
            volume_l=(pl.col("l_per_h") * pl.col("hours")).filter(usable).sum(),
            measured_h=pl.col("hours").filter(usable).sum(),
            least_l_per_h=pl.col("l_per_h").filter(told).min(),
            unusable_readings=(~usable).sum().cast(pl.Int64),
            rested=rests.any(),
            run_h=pl.col("hours").filter(after).sum(),
            run_l_per_h=pl.col("l_per_h").filter(after).min(),
            run_since=begun.filter(after).min().cast(pl.Datetime("us", "UTC")),
        )
    )
    known = former.select("meter", "unrested_h", "unrested_l_per_h", "unrested_since")
    carried = ~pl.col("rested").fill_null(value=False) & (pl.col("unrested_h") > 0)
    joined = found.join(known, on="meter", how="full", coalesce=True).with_columns(
        site=pl.lit(site),
        day=pl.lit(day),
        volume_l=pl.col("volume_l").fill_null(0.0),
        measured_h=pl.col("measured_h").fill_null(0.0),
        unusable_readings=pl.col("unusable_readings").fill_null(0),
        unrested_h=pl.col("run_h").fill_null(0.0)
        + pl.when(carried).then(pl.col("unrested_h")).otherwise(0.0),
        unrested_l_per_h=pl.min_horizontal(
            "run_l_per_h", pl.when(carried).then(pl.col("unrested_l_per_h"))
        ),
        unrested_since=pl.min_horizontal(
            "run_since", pl.when(carried).then(pl.col("unrested_since"))
        ),
    )
    schema = METER_DAYS.polars_schema
    return joined.select(schema.names()).cast(dict(schema.items())).sort("meter")


def continuous_flow(days: pl.DataFrame, price_eur_per_m3: float) -> pl.DataFrame:
    """Return the rows of `household.continuous_flow`: the meters of a day that never rest.

    What is lost is the least hourly flow since the last rest, for the measured hours since then:
    people use the rest.
    """
    lost_m3 = pl.col("unrested_l_per_h") * pl.col("unrested_h") / _L_PER_M3
    year_m3 = pl.col("unrested_l_per_h") * _H_PER_YEAR / _L_PER_M3
    schema = CONTINUOUS_FLOW.polars_schema
    return (
        days.filter(pl.col("unrested_h") >= CONTINUOUS_H)
        .select(
            "site",
            "meter",
            "day",
            since="unrested_since",
            hours="unrested_h",
            leak_l_per_h="unrested_l_per_h",
            lost_m3=lost_m3,
            lost_eur=lost_m3 * price_eur_per_m3,
            m3_per_year=year_m3,
            eur_per_year=year_m3 * price_eur_per_m3,
        )
        .with_columns(
            rank=pl.struct(-pl.col("lost_m3"), "meter").rank("ordinal").cast(pl.Int64),
            rank_by_flow=pl.struct(-pl.col("leak_l_per_h"), "meter").rank("ordinal").cast(pl.Int64),
        )
        .sort("rank")
        .select(schema.names())
        .cast(dict(schema.items()))
    )
