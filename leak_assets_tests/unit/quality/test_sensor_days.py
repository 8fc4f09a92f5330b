"""Sensors by days: clocks, time stamps, units, balances, silence, on made-up days."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.quality.balance import Balance
from leak_assets.quality.clock_shift import lags
from leak_assets.quality.reasons import OF_DAYS, Reason, name_of
from leak_assets.quality.sensor_days import sensor_days
from leak_assets.quality.unit_step import unit_ratios
from leak_assets.sites.contract import Contract
from leak_assets.telemetry.long_wide import to_long
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.telemetry import SENSOR_QUALITY_DAILY

FIRST = date(2019, 3, 4)
STEPS = 288
AREA_M2 = 200.0
ZONE = Balance(
    1,
    (("flow/pump", 1),),
    (("level/tank", np.array([0.0, 10.0]), np.array([0.0, 10.0 * AREA_M2])),),
    ("demand/h1", "demand/h2"),
)
Wide = dict[str, np.ndarray]
Change = Callable[[Wide, int], None]


def town(days: int, seed: int = 3) -> list[Wide]:
    """Return days of a zone: five pressures and two flows that move together, a tank, customers."""
    rng = np.random.default_rng(seed)
    steps = np.arange(days * STEPS)
    wave = 1 + 0.4 * np.sin(2 * np.pi * steps / STEPS)
    use = wave * (1 + 0.1 * rng.standard_normal(len(steps)))
    pump = np.where((steps % 48) < 24, 0.03, 0.0)
    customers = 0.0075 * use
    net = pump - 2 * customers
    stored = np.concatenate([[0.0], np.cumsum((net[1:] + net[:-1]) / 2)]) * 300
    level = 5.0 + stored / AREA_M2
    wide = {
        f"pressure/n{i}": 50 - (2 + i) * use + 0.02 * rng.standard_normal(len(steps))
        for i in range(5)
    }
    wide |= {"flow/a": 0.02 * use, "flow/pump": pump, "level/tank": level}
    wide |= {"demand/h1": customers, "demand/h2": customers}
    return [
        {k: v[d * STEPS : (d + 1) * STEPS].copy() for k, v in wide.items()} for d in range(days)
    ]


def judged(
    contract: Contract,
    days: list[Wide],
    *,
    change: Change | None = None,
    since: int = 6,
    told: str | None = None,
) -> pl.DataFrame:
    """Return the sensors' days, with a change of the values from a day on; people may tell it."""
    before, found = None, []
    for number, wide in enumerate(days):
        if change is not None and number >= since:
            change(wide, number - since)
        before = sensor_days(
            readings_of(wide, number), before, contract,
            network="made-up", day=FIRST + timedelta(days=number), balances=(ZONE,),
            changed={told} if told and number in (since, since + 1) else (),
        )  # fmt: skip
        found.append(before)
    return pl.concat(found)


def readings_of(wide: Wide, number: int) -> pl.DataFrame:
    """Return a day's readings; a column `offset/<sensor>` is the way of its time stamps."""
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=number)
    times = [start + timedelta(seconds=300 * i) for i in range(STEPS)]
    values = {k: pl.Series(v).fill_nan(None) for k, v in wide.items() if not k.startswith("offset")}
    frame = pl.DataFrame({"ts_utc": times} | values).cast({"ts_utc": pl.Datetime("us", "UTC")})
    offset = wide.get("offset/n1", np.zeros(1))[0]
    return to_long(frame, "made-up").with_columns(
        pl.when(pl.col("sensor_id") == "n1").then(int(offset)).otherwise(0).alias("offset_s")
    )


def wrong(rows: pl.DataFrame) -> dict[str, list[tuple[str, int]]]:
    """Return the reasons of days that were found, with sensor and number of the day."""
    out: dict[str, list[tuple[str, int]]] = {}
    for row in rows.iter_rows(named=True):
        for reason in OF_DAYS:
            if row["reasons"] & reason:
                day = (row["day"] - FIRST).days
                out.setdefault(name_of(reason), []).append((row["sensor_id"], day))
    return out


def test_sound_days_are_sound(contract: Contract) -> None:
    """Nothing is found on two weeks of a sound town; each sensor has one row a day."""
    rows = judged(contract, town(14))
    assert wrong(rows) == {}
    assert rows.schema == SENSOR_QUALITY_DAILY.polars_schema
    assert rows.height == 14 * 10
    assert rows["health"].min() == 1.0
    assert rows.select(pl.struct("sensor_id", "quantity", "day").is_unique().all()).item()
    assert rows.filter(sensor_id="pump")["gain"].to_numpy() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("steps", [2, -2])
def test_clock_shift_is_found_by_cross_correlation(contract: Contract, steps: int) -> None:
    """Stamped 7 min late, a reading stands two steps late on the grid: found on the first day."""

    def shift(wide: Wide, _: int) -> None:
        wide["pressure/n2"] = np.roll(wide["pressure/n2"], steps)

    rows = judged(contract, town(9), change=shift)
    assert wrong(rows) == {"clock_drift": [("n2", 6), ("n2", 7), ("n2", 8)]}
    row = rows.filter(sensor_id="n2", day=FIRST + timedelta(days=7)).row(0, named=True)
    assert row["lag_s"] == pytest.approx(300 * steps, abs=60)
    assert "min late" in row["evidence"]
    assert row["health"] == 0.5


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("steps", [1, 24, 96])
def test_a_few_steps_say_nothing_of_a_clock(steps: int) -> None:
    """The first UTC day of a site east of Greenwich may have one; hourly days have 24."""
    values = np.random.default_rng(0).normal(size=(6, steps))
    assert np.isnan(lags(values, 300.0).lag_s).all()


def test_stamps_that_wander_are_found(contract: Contract) -> None:
    """Stamps that move by half a minute a day are found on the third day; others are not."""

    def drift(wide: Wide, days: int) -> None:
        wide["offset/n1"] = np.array([30.0 * (days + 1)])

    found = wrong(judged(contract, town(10), change=drift))
    assert found == {"timestamp_drift": [("n1", 7), ("n1", 8), ("n1", 9)]}


@pytest.mark.parametrize("factor", [3.6, 1 / 3.6, 10.2, 1 / 10.2, 0.0689, 1 / 0.0689])
def test_unit_step_is_found(contract: Contract, factor: float) -> None:
    """Values in another unit are told on their first whole day, and as long as it lasts."""

    def other_unit(wide: Wide, _: int) -> None:
        wide["flow/a"] = wide["flow/a"] * factor

    found = wrong(judged(contract, town(9), change=other_unit))
    assert found["unit_step"] == [("a", 6), ("a", 7), ("a", 8)]


def test_a_burst_is_no_unit_step() -> None:
    """A flow whose night rises fourfold and whose day doubles has no other unit."""
    usual = np.array([[5.0, 20.0, 30.0]])
    assert np.isnan(unit_ratios(np.array([[20.0, 35.0, 45.0]]), usual)).all()
    assert unit_ratios(3.55 * usual, usual)[0] == 3.6


@pytest.mark.parametrize(("factor", "word"), [(1.05, "+"), (0.94, "-")])
def test_meter_error_is_a_balance_and_a_leak_is_not(
    contract: Contract, factor: float, word: str
) -> None:
    """A meter that reads 5 % too much is found within four days; a leak of that size is not."""

    def meter(wide: Wide, _: int) -> None:
        wide["flow/pump"] = wide["flow/pump"] * factor

    rows = judged(contract, town(12), change=meter)
    found = wrong(rows)
    assert set(found) == {"balance"}
    assert {sensor for sensor, _ in found["balance"]} == {"pump"}
    assert 7 <= found["balance"][0][1] <= 9
    assert f"reads {word}" in rows.filter(pl.col("reasons") >= int(Reason.BALANCE))["evidence"][0]

    def leak(wide: Wide, _: int) -> None:
        wide["level/tank"] = wide["level/tank"] - 0.0015 * 300 / AREA_M2 * np.arange(STEPS)

    assert wrong(judged(contract, town(12), change=leak)) == {}


@pytest.mark.parametrize(("sensor", "factor"), [("pump", 1.05), ("a", 3.6)])
def test_a_changed_meter_begins_anew(contract: Contract, sensor: str, factor: float) -> None:
    """Told as a change, another gain or unit is nothing wrong; what comes later is."""

    def other(wide: Wide, days: int) -> None:
        wide[f"flow/{sensor}"] = wide[f"flow/{sensor}"] * factor * (factor if days > 7 else 1)

    found = wrong(judged(contract, town(18), change=other, told=sensor))
    assert {name for reason in found.values() for name, _ in reason} == {sensor}
    assert min(day for reason in found.values() for _, day in reason) >= 14


def test_silence_is_told_and_ends(contract: Contract) -> None:
    """A sensor without readings is silent, remembers its last one, and comes back."""

    def dead(wide: Wide, days: int) -> None:
        if days < 2:
            wide["pressure/n4"][100:] = np.nan

    rows = judged(contract, town(9), change=dead)
    assert wrong(rows) == {"silent": [("n4", 6), ("n4", 7)]}
    row = rows.filter(sensor_id="n4", day=FIRST + timedelta(days=7)).row(0, named=True)
    assert row["age_s"] == pytest.approx(188 * 300)
    assert row["is_silent"]


def test_a_stuck_sensor_appears_within_one_window(contract: Contract, tmp_path: Path) -> None:
    """VAL11: three hours into a day its row says `flat_line`; two more, and it is on the list."""
    warehouse = Warehouse(tmp_path)
    days = town(2)
    before = judged(contract, days[:1])
    for hours, is_listed in ((3, False), (5, True)):
        first = FIRST + timedelta(days=1)
        so_far = readings_of(days[1], 1).filter(pl.col("ts_utc").dt.hour() < hours)
        # From the 24th equal reading on validation marks a pressure so (`test_validate`).
        is_stuck = (pl.col("sensor_id") == "n3") & (
            pl.col("ts_utc").rank("ordinal").over("sensor_id", "quantity") >= 24
        )
        so_far = so_far.with_columns(
            pl.when(is_stuck).then(int(Reason.FLAT_LINE)).otherwise("flags").alias("flags"),
            pl.when(is_stuck).then(0).otherwise("mask").cast(pl.Int8).alias("mask"),
            pl.when(is_stuck).then(pl.lit("bad")).otherwise("quality").alias("quality"),
        )
        rows = sensor_days(so_far, before, contract, network="made-up", day=first)
        row = rows.filter(sensor_id="n3").row(0, named=True)
        assert "flat_line" in row["reason_names"]
        assert row["health"] < 0.7
        part = {"date": first.isoformat(), "network": "made-up"}
        warehouse.write("telemetry.sensor_quality_daily", part, rows)
        listed = warehouse.sql("SELECT sensor_id, reason_names FROM telemetry.silent_sensors")
        assert listed.rows() == ([("n3", "flat_line silent")] if is_listed else [])


def test_a_quantity_that_nobody_delivers_is_silent(contract: Contract) -> None:
    """Sensors keep their row a day, and what was usual, when their whole file is missing."""

    def without_flows(wide: Wide, _: int) -> None:
        for name in ("flow/a", "flow/pump"):
            wide.pop(name)

    rows = judged(contract, town(8), change=without_flows)
    assert wrong(rows)["silent"] == [("a", 6), ("pump", 6), ("a", 7), ("pump", 7)]
    kept = rows.filter(sensor_id="a")["usual_median_si"]
    assert kept[7] == kept[5]


def test_a_day_in_parts_ends_as_a_whole_day(contract: Contract) -> None:
    """The row of a whole day does not depend on how often the day was looked at before."""
    days = town(5)
    before = judged(contract, days[:4]).filter(day=FIRST + timedelta(days=3))
    options = {"network": "made-up", "day": FIRST + timedelta(days=4), "balances": (ZONE,)}
    whole = sensor_days(readings_of(days[4], 4), before, contract, **options)
    early = readings_of(days[4], 4).filter(pl.col("ts_utc").dt.hour() < 9)
    part = sensor_days(early, before, contract, **options)
    assert wrong(part) == {}
    assert part["steps"].unique().to_list() == [108]
    assert sensor_days(readings_of(days[4], 4), before, contract, **options).equals(whole)
