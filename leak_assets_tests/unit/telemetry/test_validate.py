"""Validation of a day: units, corrections, grid, gaps, outliers; never a value from the future."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from leak_assets.quality.checks import run_checks
from leak_assets.quality.reasons import Reason
from leak_assets.sites.contract import Contract, load_contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.telemetry.judged import reference_statistics
from leak_assets.telemetry.long_wide import to_wide
from leak_assets.telemetry.raw import merge_raw
from leak_assets.telemetry.validate import validate_day
from leak_assets.warehouse.contract import check_frame
from leak_assets.warehouse.schemas.telemetry import GAPS, QUARANTINE, READINGS

Rows = Callable[..., pl.DataFrame]
Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
DAY = date(2019, 3, 4)


@pytest.fixture
def validate(layout: SensorLayout, contract: Contract) -> Callable[..., Frames]:
    """Return `validate_day` for Hanoi on the day of the tests."""

    def validated(raw: pl.DataFrame, **options: object) -> Frames:
        return validate_day(
            raw,
            network="hanoi",
            layout=layout,
            contract=contract,
            **{"day": DAY, **options},  # type: ignore[arg-type]
        )

    return validated


def steps_of(sensor: str, minutes: range, value: float = 30.0) -> list[tuple[str, int, float]]:
    return [(sensor, minute, value + minute / 100) for minute in minutes]


def of(readings: pl.DataFrame, sensor: str) -> pl.DataFrame:
    return readings.filter(pl.col("sensor_id") == sensor).sort("ts_utc")


def test_clean_day(raw_rows: Rows, validate: Callable[..., Frames], contract: Contract) -> None:
    """Clean readings come out good, typed as the tables and the contract want them."""
    raw = raw_rows([r for s in ("12", "21", "27") for r in steps_of(s, range(0, 1440, 5))])
    readings, gaps, quarantine = validate(raw)
    assert readings.height == 3 * 288
    assert readings.schema == READINGS.polars_schema
    assert gaps.schema == GAPS.polars_schema
    assert quarantine.schema == QUARANTINE.polars_schema
    assert check_frame(readings, contract) == []
    assert gaps.is_empty()
    assert quarantine.is_empty()
    assert set(readings["quality"]) == {"good"}


def test_values_become_si(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """m3/h and L/h become m3/s; a psi reading at a sensor laid out in m becomes m."""
    raw = pl.concat(
        [
            raw_rows([("1", 0, 36.0)], quantity="flow", unit="m3/h"),
            raw_rows([("12", 0, 3600.0)], quantity="demand", unit="L/h"),
            raw_rows([("12", 0, 50.0)], unit="psi"),
        ]
    )
    readings, _, _ = validate(raw)
    values = dict(readings.filter(pl.col("mask") == 1).select("quantity", "value_si").iter_rows())
    assert values == pytest.approx({"flow": 0.01, "demand": 0.001, "pressure": 35.1535}, rel=1e-5)


def test_latest_delivery_counts(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """Of two values for one time the one received later counts, in whatever order rows stand."""
    old = raw_rows([("12", 0, 30.0)], sha="b" * 64)
    raw, _ = merge_raw(raw_rows([("12", 0, 33.0)], received_minute=5), old)
    for rows in (raw, raw.reverse()):
        row = of(validate(rows)[0], "12").row(0, named=True)
        assert (row["value_si"], row["message_id"].split(":")[0]) == (33.0, "a" * 64)


def test_gap_of_three_steps_is_filled_and_flagged(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """Three missing steps are interpolated, marked as estimates and masked."""
    raw = raw_rows(
        [*steps_of("21", range(0, 60, 5)), ("12", 0, 30.0), ("12", 20, 34.0), ("12", 25, 35.0)]
    )
    readings, gaps, _ = validate(raw)
    filled = of(readings, "12").slice(1, 3)
    assert filled["value_si"].to_list() == pytest.approx([31.0, 32.0, 33.0])
    assert set(filled["quality"]) == {"estimated"}
    assert filled["flags"].to_list() == [2, 2, 2]
    assert filled["mask"].to_list() == [0, 0, 0]
    gap = gaps.filter(pl.col("sensor_id") == "12").row(0, named=True)
    assert (gap["steps"], gap["treatment"]) == (3, "interpolated")
    assert to_wide(readings)["pressure/12"].head(5).to_list() == [30.0, None, None, None, 34.0]


def test_gap_of_forty_steps_stays_null(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """Forty missing steps stay null with mask 0 and one row in the gap table."""
    raw = raw_rows(
        [*steps_of("21", range(0, 300, 5)), *steps_of("12", range(0, 50, 5)), ("12", 250, 31.0)]
    )
    readings, gaps, _ = validate(raw)
    gap = gaps.filter((pl.col("sensor_id") == "12") & (pl.col("gap_start").dt.hour() == 0)).row(
        0, named=True
    )
    assert (gap["steps"], gap["treatment"]) == (40, "masked")
    missing = of(readings, "12").filter(
        pl.col("ts_utc").is_between(gap["gap_start"], gap["gap_end"])
    )
    assert missing.height == 40
    assert missing["value_si"].null_count() == 40
    assert set(missing["quality"]) == {"missing"}
    assert set(missing["flags"]) == {4}
    assert set(missing["mask"]) == {0}


def test_grid_ends_at_the_last_observed_step(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """The grid covers what was observed, for all sensors of the quantity, and not the future."""
    readings, gaps, _ = validate(raw_rows([*steps_of("12", range(60, 125, 5)), ("21", 90, 1.0)]))
    assert readings["ts_utc"].min() == datetime(2019, 3, 4, 1, tzinfo=readings["ts_utc"][0].tzinfo)
    assert readings["ts_utc"].max().hour == 2  # type: ignore[union-attr]
    assert dict(readings.group_by("sensor_id").len().iter_rows()) == {"12": 13, "21": 13, "27": 13}
    # One open gap on each side of the only reading, and a sensor that is silent all along.
    assert gaps.filter(pl.col("sensor_id") == "21")["treatment"].to_list() == ["masked", "masked"]
    assert gaps.filter(pl.col("sensor_id") == "27")["steps"].to_list() == [13]
    assert set(readings["quantity"]) == {"pressure"}


def test_ten_sigma_burst_is_flagged_and_kept(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """A 10-sigma burst keeps its value and mask; only the flag tells."""
    quiet = raw_rows([("12", m, 30.0 + (m // 5) % 2) for m in range(0, 600, 5)])
    stats = reference_statistics(validate(quiet)[0])
    mean, sigma = stats.filter(pl.col("sensor_id") == "12").select("mean_si", "std_si").row(0)
    burst = raw_rows([("12", 0, 30.0), ("12", 5, mean - 10 * sigma), ("12", 10, mean + 3 * sigma)])
    readings, _, _ = validate(burst, reference_stats=stats)
    row = of(readings, "12").row(1, named=True)
    assert row["value_si"] == pytest.approx(mean - 10 * sigma)
    # On quiet days the sensor never jumped like that either.
    unusual = Reason.OUTLIER | Reason.RATE_OF_CHANGE
    assert (row["quality"], row["flags"], row["mask"]) == ("suspect", unusual, 1)
    assert not {f & Reason.OUTLIER for f in of(readings, "12")["flags"].to_list()[::2]} - {0}
    assert of(validate(burst)[0], "12")["flags"].to_list() == [0, 0, 0]


def test_no_step_holds_anything_later_than_itself(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """Two sensors 37 s apart land on one grid, and each step only knows its past."""
    minutes = [5 * i for i in range(12)]
    raw = raw_rows(
        [
            *(("12", m, float(m)) for m in minutes),
            *(("21", m + 37 / 60, float(m)) for m in minutes),
        ]
    )
    readings, _, _ = validate(raw)
    assert (readings["ts_utc"].dt.epoch("s") % 300 == 0).all()
    late = of(readings, "21").filter(pl.col("mask") == 1)
    measured_at = pl.col("value_si") + 37 / 60
    step_minute = pl.col("ts_utc").dt.hour() * 60 + pl.col("ts_utc").dt.minute()
    assert late.height == 12
    assert late.select((measured_at <= step_minute).all()).item()


def test_reading_after_the_last_step_counts_for_the_next_day(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """A reading of 23:57 is the next day's 00:00 and is not lost between the days."""
    yesterday = raw_rows([("12", 1435, 1.0), ("12", 1437, 2.0)])
    today = raw_rows(
        [("12", 5, 3.0)], day=datetime(2019, 3, 5, tzinfo=yesterday["ts_utc"][0].tzinfo)
    )
    assert of(validate(yesterday)[0], "12")["value_si"].to_list() == [1.0]
    readings, _, _ = validate(today, day=date(2019, 3, 5), previous=yesterday)
    assert of(readings, "12")["value_si"].to_list() == [2.0, 3.0]


def test_gap_across_midnight_is_seen_whole(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """With yesterday at hand a short gap over midnight is filled, a long one is not."""
    tomorrow = datetime(2019, 3, 5, tzinfo=raw_rows([("12", 0, 1.0)])["ts_utc"][0].tzinfo)
    today = raw_rows([("12", 5, 3.0)], day=tomorrow)

    def midnight(last_minute: int) -> dict[str, object]:
        yesterday = raw_rows([("12", last_minute, 0.0)])
        readings, _, _ = validate(today, day=date(2019, 3, 5), previous=yesterday)
        return of(readings, "12").row(0, named=True)

    assert midnight(1430)["value_si"] == pytest.approx(2.0)
    assert midnight(1430)["quality"] == "estimated"
    assert midnight(1420)["quality"] == "missing"


def test_what_the_layout_no_longer_has_is_quarantined(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """Raw rows of an unknown sensor or unit are told; the others are validated."""
    raw = pl.concat(
        [
            raw_rows([("12", 0, 30.0), ("99", 0, 1.0)]),
            raw_rows([("21", 0, 30.0)], unit="furlong"),
            raw_rows([("27", 0, 30.0)], unit="kPa", sha="c" * 64),
            raw_rows([("27", 5, 30000.0)], sha="c" * 64),
        ]
    )
    readings, _, quarantine = validate(raw)
    assert readings.filter(pl.col("mask") == 1).height == 2
    assert sorted(quarantine["reason"]) == ["out_of_range", "unknown_sensor", "unknown_unit"]
    key = ["network", "file_path", "source", "message_id", "column_name", "reason"]
    assert quarantine.select(key).is_unique().all()


def test_day_without_readings(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """A day without readings gives empty tables of the right types."""
    readings, gaps, _ = validate(raw_rows([]))
    assert readings.equals(READINGS.empty())
    assert gaps.equals(GAPS.empty())


def test_order_of_rows_does_not_matter(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """Late and out-of-order delivery of the same readings gives the same day."""
    raw = raw_rows([*steps_of("12", range(0, 300, 5)), *steps_of("21", range(0, 300, 10))])
    shuffled = raw.sample(fraction=1.0, shuffle=True, seed=7)
    for one, other in zip(validate(raw), validate(shuffled), strict=True):
        assert one.equals(other)


def test_later_data_do_not_change_observed_steps(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """Usable values of the first hours are the same whether or not the rest has come."""
    rows = [*steps_of("12", range(0, 600, 5)), *steps_of("21", range(0, 600, 15))]
    early, _, _ = validate(raw_rows([r for r in rows if r[1] < 300]))
    late, _, _ = validate(raw_rows(rows))
    until = early["ts_utc"].max()
    assert isinstance(until, datetime)
    assert until < datetime(2019, 3, 4, 5, tzinfo=until.tzinfo) + timedelta(minutes=5)
    wide = to_wide(late).filter(pl.col("ts_utc") <= until)
    columns = ["ts_utc", "pressure/12", "pressure/21"]
    assert to_wide(early).select(columns).equals(wide.select(columns))


def flags_of(readings: pl.DataFrame, sensor: str) -> list[int]:
    """Return the flags of a sensor, but for gaps."""
    return [f & ~int(Reason.GAP) for f in of(readings, sensor)["flags"].to_list()]


def test_stuck_sensor_is_flagged_within_one_window(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """From the 24th identical reading on a pressure is bad and masked; another value ends it."""
    raw = raw_rows([*(("12", m, 30.0) for m in range(0, 180, 5)), ("12", 180, 31.0)])
    readings, _, _ = validate(raw)
    assert flags_of(readings, "12") == [0] * 23 + [Reason.FLAT_LINE] * 13 + [0]
    assert set(readings.filter(pl.col("flags") == int(Reason.FLAT_LINE))["quality"]) == {"bad"}
    assert to_wide(readings)["pressure/12"].null_count() == 13


def test_flat_line_is_counted_across_midnight(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """A sensor that was stuck in the evening is stuck from the first step of the day."""
    yesterday = raw_rows([("12", m, 30.0) for m in range(1300, 1440, 5)])
    tomorrow = datetime(2019, 3, 5, tzinfo=yesterday["ts_utc"][0].tzinfo)
    today = raw_rows([("12", 0, 30.0), ("12", 5, 30.0), ("12", 10, 30.5)], day=tomorrow)
    readings, _, _ = validate(today, day=date(2019, 3, 5), previous=yesterday)
    assert flags_of(readings, "12") == [Reason.FLAT_LINE, Reason.FLAT_LINE, 0]


def test_zero_flow_at_night_is_not_stuck(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """A flow may rest at zero, and not at another value; never where it never was zero before."""
    resting = raw_rows([("1", m, 0.0) for m in range(0, 240, 5)], quantity="flow", unit="m3/h")
    assert not any(flags_of(validate(resting)[0], "1"))
    stuck = raw_rows([("1", m, 7.0) for m in range(0, 240, 5)], quantity="flow", unit="m3/h")
    assert flags_of(validate(stuck)[0], "1")[-1] == Reason.FLAT_LINE
    busy = raw_rows(
        [("1", m, 50.0 + m % 7) for m in range(0, 240, 5)], quantity="flow", unit="m3/h"
    )
    stats = reference_statistics(validate(busy)[0])
    found = flags_of(validate(resting, reference_stats=stats)[0], "1")
    assert found[-1] & Reason.FLAT_LINE


def test_reverse_flow_keeps_its_sign(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """A meter that only ran forward is flagged when it runs backward; the sign stays."""
    busy = raw_rows(
        [("1", m, 50.0 + m % 7) for m in range(0, 240, 5)], quantity="flow", unit="m3/h"
    )
    stats = reference_statistics(validate(busy)[0])
    back = raw_rows([("1", 0, 50.0), ("1", 5, -36.0)], quantity="flow", unit="m3/h")
    row = of(validate(back, reference_stats=stats)[0], "1").row(1, named=True)
    assert row["flags"] & Reason.REVERSE_FLOW
    assert (row["value_si"], row["mask"], row["quality"]) == (pytest.approx(-0.01), 1, "suspect")


def test_impossible_value_is_flagged_where_it_stood(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """The value stays, masked and told; its raw row is found, and no model gets it."""
    rows = [*steps_of("12", range(0, 60, 5)), *steps_of("21", range(0, 60, 5))]
    rows[5] = ("12", 25, 5000.0)
    raw = raw_rows(rows)
    readings, gaps, unusable = validate(raw)
    row = of(readings, "12").row(5, named=True)
    assert row["flags"] == Reason.RANGE
    assert (row["quality"], row["mask"], row["value_si"]) == ("bad", 0, 5000.0)
    assert raw.filter(message_id=row["message_id"])["raw_text"].to_list() == ["5000,0"]
    assert gaps.filter(pl.col("sensor_id") == "12").is_empty()
    assert to_wide(readings)["pressure/12"].null_count() == 1
    # Neither is a neighbor judged by it.
    assert of(readings, "12")["flags"].sum() == Reason.RANGE
    blocking = [o for o in run_checks(readings, load_contract()).values() if o.severity == "ERROR"]
    assert all(o.passed for o in blocking)
    assert unusable["message"].to_list() == [
        f"sha256:{'a' * 16}, row 7, column pressure/12: `5000,0` m is outside the possible range of"
        " pressure, -100 to 1000 m. Check the sensor and the unit in the layout, or widen the range"
        " in configs/readings.yaml"
    ]


def test_the_latest_delivery_of_an_impossible_value_counts(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """A correction heals it and nothing is told any more; an impossible correction is flagged."""
    first = raw_rows([("12", 0, 30.0), ("12", 5, 5000.0), ("12", 10, 31.0)])
    later = raw_rows([("12", 5, 30.5), ("12", 10, -5000.0)], received_minute=5, sha="b" * 64)
    readings, _, unusable = validate(pl.concat([first, later]))
    assert of(readings, "12")["value_si"].to_list() == [30.0, 30.5, -5000.0]
    assert of(readings, "12")["flags"].to_list() == [0, 0, Reason.RANGE]
    assert unusable["raw_text"].to_list() == ["-5000,0"]


def test_gaps_beside_impossible_values(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """A short gap is filled from the sound values around; what came is neither gap nor filled."""
    raw = raw_rows([("12", 0, 30.0), ("12", 10, 5000.0), ("12", 20, 34.0)])
    readings, gaps, _ = validate(raw)
    found = of(readings, "12")
    assert found["value_si"].to_list() == [30.0, 31.0, 5000.0, 33.0, 34.0]
    assert found["quality"].to_list() == ["good", "estimated", "bad", "estimated", "good"]
    assert found["mask"].to_list() == [1, 0, 0, 0, 1]
    assert gaps.filter(pl.col("sensor_id") == "12")["steps"].to_list() == [1, 1]


def test_a_number_beyond_all_numbers_in_si_is_flagged(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """1.7e308 bar is finite, but not in metres: its text is kept, and no infinity is written."""
    raw = pl.concat([raw_rows([("12", 0, 30.0)]), raw_rows([("12", 5, 1.7e308)], unit="bar")])
    row = of(validate(raw)[0], "12").row(1, named=True)
    assert (row["value_si"], row["flags"], row["quality"]) == (None, Reason.RANGE, "bad")


def test_a_sensor_in_a_wrong_unit_is_told_briefly(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """Every reading of the day is flagged; ten are told, and how many follow."""
    raw = raw_rows([("12", m, 5000.0 + m) for m in range(0, 600, 5)])
    readings, _, unusable = validate(raw)
    assert of(readings, "12")["flags"].to_list() == [Reason.RANGE] * 120
    assert unusable.height == 11
    assert "; 109 more lines down to row 121 have the same problem" in unusable["message"][-1]


def test_times_within_a_delivery(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """Two values for one time, and a stamp that runs backwards, are flagged and kept."""
    raw = raw_rows([("12", 0, 30.0), ("12", 5, 31.0), ("12", 5, 32.0), ("12", 15, 33.0),
                    ("12", 10, 34.0)])  # fmt: skip
    readings, _, _ = validate(raw)
    assert flags_of(readings, "12") == [
        0,
        Reason.DUPLICATE_TIME,
        Reason.TIME_INCONSISTENT,
        0,
    ]
    assert set(readings.filter(pl.col("flags") > 4)["mask"]) == {1}
    corrected = pl.concat(
        [raw_rows([("12", 5, 31.0)]), raw_rows([("12", 5, 32.0)], received_minute=9)]
    )
    assert flags_of(validate(corrected)[0], "12") == [0]


def test_stamps_of_the_future_are_flagged(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """A reading stamped after it was received shows a wrong clock."""
    late = datetime(2019, 3, 6, tzinfo=raw_rows([("12", 0, 1.0)])["ts_utc"][0].tzinfo)
    readings, _, _ = validate(raw_rows([("12", 0, 1.0), ("12", 5, 2.0)], day=late), day=late.date())
    assert flags_of(readings, "12") == [0, Reason.TIME_INCONSISTENT]


def test_the_way_to_the_step_is_kept(raw_rows: Rows, validate: Callable[..., Frames]) -> None:
    """Each reading says how far its own time stamp lies before its step."""
    readings, _, _ = validate(raw_rows([("12", 0, 1.0), ("12", 3, 2.0)]))
    assert of(readings, "12")["offset_s"].to_list() == [0, 120]


def test_micro_batches_judge_as_the_whole_day(
    raw_rows: Rows, validate: Callable[..., Frames]
) -> None:
    """What is flagged at a step does not change when the rest of the day comes."""
    values = [("12", m, 30.0 if 60 <= m < 300 else 30.0 + m % 11) for m in range(0, 600, 5)]
    whole = of(validate(raw_rows(values))[0], "12")
    for until in (130, 200, 310, 450):
        part = of(validate(raw_rows([v for v in values if v[1] < until]))[0], "12")
        assert part.equals(whole.head(part.height)), until
