"""The faults of real telemetry: what is flagged of each, and that no leak incident follows.

`docs/faults.md` is the table. A town like Hanoi runs for a week to learn from; then a fault is put
into the raw log, and the days go through validation, detection and incidents.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from leak_assets.benchmark.battledim_run import STEPS
from leak_assets.incidents import calendar
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.quality.reasons import MADE_UP, Reason
from leak_assets.runs.daemonless import prepare_site
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings
from leak_assets.sites import layout_from_headers
from leak_assets.sites.registry import adopt
from leak_assets.sites.site import network_site
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS
from leak_assets_tests.towns import EXPORT_FIRST, usual_load, write_hanoi_export

DAYS, FAULTY_FROM = 13, 9
PER_DAY = 288
FIRST = EXPORT_FIRST.date()
WATCHED = (*STEPS, "sensor_quality", "data_incidents")
STUCK, SHIFTED = "pressure/13", "pressure/16"
Wide = dict[str, np.ndarray]
Fault = Callable[[Wide, slice], None]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Wide]:
    """A home with nine sound days taken to incidents, and the town's readings of all days."""
    folder = tmp_path_factory.mktemp("faults")
    return learned(folder / "home", town(folder))


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Wide]:
    """The same with a meter at every customer: what flows in can be balanced."""
    folder = tmp_path_factory.mktemp("metered")
    model = network_site("hanoi", Settings(LEAK_ASSETS_HOME=folder)).network.water_network()
    rng = np.random.default_rng(7)
    wide = town(folder)
    base = {name: node.base_demand for name, node in model.junctions() if node.base_demand > 0}
    for name, demand in base.items():
        jitter = 1 + 0.02 * rng.standard_normal(DAYS * PER_DAY)
        wide[f"demand/{name}"] = wide["flow/1"] * demand / sum(base.values()) * jitter
    return learned(folder / "home", wide)


def learned(home: Path, wide: Wide) -> tuple[Path, Wide]:
    """Return a home in which the sound days were taken to incidents, and the readings."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home))
    model = network_site("hanoi", ctx.settings)
    sensors: dict[str, list[str]] = {}
    for name in wide:
        quantity, _, sensor = name.partition("/")
        sensors.setdefault(quantity, []).append(sensor)
    adopt(model.network, layout_from_headers(model.network, sensors), ctx.settings)
    prepare_site(ctx, ctx.network("hanoi"), STEPS, strict=True)
    put(ctx, wide, range(FAULTY_FROM))
    run(ctx, range(FAULTY_FROM))
    return home, wide


def town(folder: Path, **options: Any) -> Wide:
    """Return the readings of the town by sensor, as its files have them."""
    site = network_site("hanoi", Settings(LEAK_ASSETS_HOME=folder))
    write_hanoi_export(site.network, folder / "export", days=DAYS, **options)
    wide: Wide = {}
    for quantity, name in (("pressure", "Pressures"), ("flow", "Flows")):
        [file] = (folder / "export").glob(f"2018_SCADA_{name}.csv*")
        frame = pl.read_csv(file, separator=";", decimal_comma=True)
        wide |= {f"{quantity}/{c}": frame[c].to_numpy().copy() for c in frame.columns[1:]}
    return wide


def put(ctx: StepContext, wide: Wide, days: range, late_s: float = 0.0) -> None:
    """Write days of the raw log; NaN is not delivered."""
    for number in days:
        ctx.warehouse.write("telemetry.raw_readings", part(number), raw(wide, number, late_s))


def part(number: int) -> dict[str, str]:
    """Return the partition of a day by its number."""
    return day_partition(day_of(number), "hanoi")


def day_of(number: int) -> date:
    """Return a day by its number."""
    return FIRST + timedelta(days=number)


def raw(wide: Wide, number: int, late_s: float = 0.0) -> pl.DataFrame:
    """Return a day's raw readings; those of one sensor may be stamped late."""
    start = EXPORT_FIRST + timedelta(days=number)
    frames = []
    for name, series in sorted(wide.items()):
        quantity, _, sensor = name.partition("/")
        late = timedelta(seconds=late_s if name == SHIFTED else 0)
        values = series[number * PER_DAY : (number + 1) * PER_DAY]
        frames.append(
            pl.DataFrame(
                {
                    "network": "hanoi",
                    "sensor_id": sensor,
                    "quantity": quantity,
                    "ts_utc": [start + timedelta(minutes=5 * i) + late for i in range(len(values))],
                    "received_at": datetime(2019, 3, 1, tzinfo=UTC),
                    "source": "test",
                    "message_id": [f"{name}:{i}" for i in range(len(values))],
                    "sequence": range(len(values)),
                    "raw_text": "",
                    "value": values,
                    "unit": "m" if quantity == "pressure" else "m3/h",
                },
                schema=RAW_READINGS.polars_schema,
            )
        )
    end = pl.lit(start + timedelta(days=1))
    found = pl.concat(frames).filter(pl.col("value").is_finite(), pl.col("ts_utc") < end)
    return found.sort("sensor_id", "quantity", "ts_utc")


def run(ctx: StepContext, days: range, steps: tuple[str, ...] = WATCHED) -> None:
    """Take days to incidents and data incidents."""
    site = ctx.network("hanoi")
    partitions = day_partitions([day_of(number) for number in days], "hanoi")
    for name in steps:
        run_step(GRAPH.step(name), ctx, site, partitions)


class Outcome:
    """What became of a fault: leak incidents, data incidents, flags of readings."""

    def __init__(self, ctx: StepContext) -> None:
        self.leaks = ctx.warehouse.read_all("incidents.incident_events", network="hanoi").height
        data = ctx.warehouse.read_all("incidents.data_incident_days", network="hanoi")
        self.data = {
            (row["sensor_id"], row["reason"])
            for row in data.filter(raised_by="quality").iter_rows(named=True)
        }
        self.readings = pl.concat(
            frame
            for number in range(FAULTY_FROM, DAYS)
            if (frame := ctx.warehouse.read("telemetry.readings", part(number))) is not None
        )

    def flagged(self, reason: Reason, sensor: str) -> int:
        """Return how many readings of a sensor have a flag."""
        mine = self.readings.filter(pl.col("sensor_id") == sensor.partition("/")[2])
        return mine.filter((pl.col("flags") & int(reason)) != 0).height


@pytest.fixture
def suffer(quiet: tuple[Path, Wide], tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that lets the last four days suffer from a fault."""

    def suffered(
        fault: Fault | None = None, late_s: float = 0.0, wide: Wide | None = None
    ) -> Outcome:
        home, sound = quiet
        changed = {name: series.copy() for name, series in (wide or sound).items()}
        if fault is not None:
            fault(changed, slice(FAULTY_FROM * PER_DAY, DAYS * PER_DAY))
        return Outcome(gone_on(home, tmp_path / "home", changed, late_s))

    return suffered


def gone_on(home: Path, copy: Path, wide: Wide, late_s: float) -> StepContext:
    """Return a copy of a home, with the last four days taken to incidents."""
    shutil.copytree(home, copy)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=copy))
    put(ctx, wide, range(FAULTY_FROM, DAYS), late_s)
    run(ctx, range(FAULTY_FROM, DAYS))
    return ctx


def test_nothing_is_told_of_sound_days(suffer: Callable[..., Outcome]) -> None:
    """Without a fault there is neither a leak nor a data incident."""
    found = suffer()
    assert (found.leaks, found.data) == (0, set())


def test_fault_1_wrong_clock(suffer: Callable[..., Outcome]) -> None:
    """One sensor stamped 7 minutes late: `clock_drift`, and no leak."""
    found = suffer(late_s=420.0)
    assert ("16", "clock_drift") in found.data
    assert found.leaks == 0


def test_fault_1_hardly_changes_the_score_of_a_leak(
    quiet: tuple[Path, Wide], tmp_path: Path
) -> None:
    """7 minutes late: at no time does the probability of the leak differ by 0.05 or more."""
    leaking = town(tmp_path, leaks=(("12", FAULTY_FROM, DAYS, 600.0),))
    right, late = (
        scores(gone_on(quiet[0], tmp_path / f"late-{late_s:g}", leaking, late_s))
        for late_s in (0.0, 420.0)
    )
    assert max(right.values()) > 0.9
    assert max(abs(right[at] - late.get(at, 0.0)) for at in right) < 0.05
    assert set(late) == set(right)


def scores(ctx: StepContext) -> dict[datetime, float]:
    """Return the probability of the surest leak at each time of the last days."""
    rows = ctx.warehouse.read_all("detection.hypotheses", network="hanoi").filter(kind="leak")
    return dict(rows.group_by("at").agg(pl.col("probability").max()).iter_rows())


def test_fault_3_repeated_packets(quiet: tuple[Path, Wide], tmp_path: Path) -> None:
    """Every packet sent twice: the same readings as sent once, nothing flagged."""
    home, wide = quiet
    shutil.copytree(home, tmp_path / "home")
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"))
    run_readings = ("readings", "sensor_quality")
    put(ctx, wide, range(FAULTY_FROM, FAULTY_FROM + 1))
    run(ctx, range(FAULTY_FROM, FAULTY_FROM + 1), run_readings)
    once = ctx.warehouse.read("telemetry.readings", part(FAULTY_FROM))
    rows = raw(wide, FAULTY_FROM)
    again = rows.with_columns(pl.col("message_id") + "-again")
    ctx.warehouse.write("telemetry.raw_readings", part(FAULTY_FROM), pl.concat([rows, again]))
    run(ctx, range(FAULTY_FROM, FAULTY_FROM + 1), run_readings)
    twice = ctx.warehouse.read("telemetry.readings", part(FAULTY_FROM))
    assert once is not None
    assert twice is not None
    assert twice.drop("message_id").equals(once.drop("message_id"))


def test_fault_5_gaps(suffer: Callable[..., Outcome]) -> None:
    """A third of the readings never comes: `gap`, and no leak; nothing made up is usable."""

    def dropout(wide: Wide, at: slice) -> None:
        lost = np.random.default_rng(1).random(at.stop - at.start) < 0.35
        wide[STUCK][at] = np.where(lost, np.nan, wide[STUCK][at])

    found = suffer(dropout)
    assert found.data == {("13", "gap")}
    assert found.leaks == 0
    made_up = found.readings.filter((pl.col("flags") & int(MADE_UP)) != 0)
    assert set(made_up["mask"]) == {0}


def test_fault_6_stuck_sensor(suffer: Callable[..., Outcome]) -> None:
    """A pressure that stands still: `flat_line` from the 24th reading on, masked, and no leak."""

    def stuck(wide: Wide, at: slice) -> None:
        wide[STUCK][at] = wide[STUCK][at.start]

    found = suffer(stuck)
    assert ("13", "flat_line") in found.data
    assert found.flagged(Reason.FLAT_LINE, STUCK) >= 4 * PER_DAY - 24
    assert found.leaks == 0


def test_fault_7_spikes(suffer: Callable[..., Outcome]) -> None:
    """Single values off by 20 m: `rate_of_change`, suspect and kept, and no leak."""

    def spikes(wide: Wide, at: slice) -> None:
        wide[STUCK][at.start : at.stop : 24] += 20.0

    found = suffer(spikes)
    assert ("13", "rate_of_change") in found.data
    assert found.flagged(Reason.RATE_OF_CHANGE, STUCK) >= 4 * 12
    assert found.leaks == 0


def test_fault_7_values_that_cannot_be_true(suffer: Callable[..., Outcome]) -> None:
    """An error code for a value, an hour long each day: `range`, masked and visible, no leak."""

    def error_code(wide: Wide, at: slice) -> None:
        for first in range(at.start, at.stop, PER_DAY):
            wide[STUCK][first + 100 : first + 112] = -9999.0

    found = suffer(error_code)
    assert ("13", "range") in found.data
    assert found.flagged(Reason.RANGE, STUCK) == 4 * 12
    impossible = found.readings.filter(pl.col("value_si") == -9999.0)
    assert (impossible.height, set(impossible["mask"])) == (4 * 12, {0})
    assert set(impossible["flags"]) == {int(Reason.RANGE)}
    assert found.leaks == 0


def test_fault_8_unit_change(suffer: Callable[..., Outcome]) -> None:
    """A pressure in bar instead of m: `unit_step`, and no leak."""

    def bar(wide: Wide, at: slice) -> None:
        wide[STUCK][at] /= 10.197

    found = suffer(bar)
    assert ("13", "unit_step") in found.data
    assert found.leaks == 0


def test_fault_9_a_pressure_with_a_bias(suffer: Callable[..., Outcome]) -> None:
    """A pressure that reads 3 m too much is no leak; what the others say is told of it."""

    def bias(wide: Wide, at: slice) -> None:
        wide[STUCK][at] += 3.0

    assert suffer(bias).leaks == 0


@pytest.mark.parametrize("factor", [1.05, 0.95])
def test_fault_9_a_meter_that_reads_wrong(
    metered: tuple[Path, Wide], tmp_path: Path, factor: float
) -> None:
    """VAL8: an inflow meter 5 % off is a data incident of that meter, and no leak."""
    home, sound = metered
    wide = {name: series.copy() for name, series in sound.items()}
    wide["flow/1"][FAULTY_FROM * PER_DAY :] *= factor
    found = Outcome(gone_on(home, tmp_path / "home", wide, 0.0))
    assert ("1", "balance") in found.data
    assert {reason for _, reason in found.data} == {"balance"}
    assert found.leaks == 0


def test_fault_9_a_changed_meter_begins_anew(metered: tuple[Path, Wide], tmp_path: Path) -> None:
    """Told afterwards as a change, the other gain is usual: the days are made again without it."""
    home, sound = metered
    wide = {name: series.copy() for name, series in sound.items()}
    wide["flow/1"][FAULTY_FROM * PER_DAY :] *= 1.05
    ctx = gone_on(home, tmp_path / "home", wide, 0.0)
    begin = EXPORT_FIRST + timedelta(days=FAULTY_FROM - 1, hours=23)
    work = calendar.Entry(
        network="hanoi", kind="meter_change", zone=None, sensor_id="1", note=None,
        begin_at=begin, end_at=begin + timedelta(minutes=30),
    )  # fmt: skip
    entry = calendar.add(ctx, work, actor="crew", at=begin)
    run(ctx, range(FAULTY_FROM - 1, DAYS))
    assert current_data_incidents(ctx) == set()
    calendar.remove(ctx, entry["entry_id"], actor="crew", at=begin, note=None)
    run(ctx, range(FAULTY_FROM - 1, DAYS))
    assert current_data_incidents(ctx) == {("1", "balance")}


def current_data_incidents(ctx: StepContext) -> set[tuple[str, str]]:
    """Return sensor and reason of the data incidents that the quality room raised."""
    rows = ctx.warehouse.sql(
        "SELECT sensor_id, reason FROM incidents.data_incidents WHERE raised_by = 'quality'"
    )
    return set(rows.iter_rows())


def test_fault_10_reverse_flow(suffer: Callable[..., Outcome]) -> None:
    """An hour of backflow: `reverse_flow`, sign kept, and no leak."""

    def back(wide: Wide, at: slice) -> None:
        for day in range(FAULTY_FROM, DAYS):
            wide["flow/1"][day * PER_DAY + 30 : day * PER_DAY + 42] *= -0.2

    found = suffer(back)
    assert ("1", "reverse_flow") in found.data
    assert found.flagged(Reason.REVERSE_FLOW, "flow/1") == 4 * 12
    negative = found.readings.filter(pl.col("value_si") < 0)
    assert negative.height == 4 * 12
    assert found.leaks == 0


def test_fault_11_pressure_steps_downstream_of_a_valve(suffer: Callable[..., Outcome]) -> None:
    """Three neighboring pressures rise by 4 m for three hours and the inflow does not: no leak."""

    def set_point(wide: Wide, at: slice) -> None:
        for name in ("pressure/22", "pressure/26", "pressure/30"):
            wide[name][at.start + 100 : at.start + 136] += 4.0

    found = suffer(set_point)
    assert found.leaks == 0
    assert found.data == set()


def test_fault_12_pump_trip(suffer: Callable[..., Outcome]) -> None:
    """All pressures fall by 15 m for an hour: suspect readings, no incident of any kind."""

    def trip(wide: Wide, at: slice) -> None:
        for name in wide:
            if name.startswith("pressure"):
                wide[name][at.start + 100 : at.start + 112] -= 15.0

    found = suffer(trip)
    assert (found.leaks, found.data) == (0, set())
    assert found.flagged(Reason.RATE_OF_CHANGE, STUCK) == 2


def test_fault_13_fire_flow(suffer: Callable[..., Outcome], tmp_path: Path) -> None:
    """Two hours of 800 m3/h at a hydrant by day are drawn water, not a leak."""
    fire = town(tmp_path, leaks=(("12", 9.5, 9.5 + 2 / 24, 800.0),))
    found = suffer(wide=fire)
    assert (found.leaks, found.data) == (0, set())


def test_fault_14_heat_wave(suffer: Callable[..., Outcome], tmp_path: Path) -> None:
    """Demand that rises by a tenth every day up to +40 % is no leak and no wrong sensor."""

    def hot(day: int, half_hour: int) -> float:
        return usual_load(day, half_hour) * (1 + 0.1 * max(0, day - FAULTY_FROM + 1))

    found = suffer(wide=town(tmp_path, load=hot))
    assert (found.leaks, found.data) == (0, set())


def test_fault_15_holiday(suffer: Callable[..., Outcome], tmp_path: Path) -> None:
    """Two days on which people get up late and use a fifth less are no incident."""

    def holiday(day: int, half_hour: int) -> float:
        if day not in (FAULTY_FROM + 1, FAULTY_FROM + 2):
            return usual_load(day, half_hour)
        return 0.8 * usual_load(day, half_hour - 6)

    found = suffer(wide=town(tmp_path, load=holiday))
    assert (found.leaks, found.data) == (0, set())


def rewritten(ctx: StepContext, number: int, *columns: pl.Expr) -> None:
    """Change a day's readings, as made from the same by the same code."""
    readings = ctx.warehouse.read("telemetry.readings", part(number))
    record = ctx.warehouse.record("telemetry.readings", part(number))
    assert readings is not None
    assert record is not None
    ctx.warehouse.write(
        "telemetry.readings",
        part(number),
        readings.with_columns(columns),
        inputs=record.inputs,
        code_version=record.code_version,
    )


def estimated(ctx: StepContext, number: int, factor: float) -> None:
    """Put estimates in the place of a day's readings."""
    scaled = pl.when(pl.col("quantity") == "flow").then(pl.col("value_si") * factor)
    rewritten(
        ctx,
        number,
        scaled.otherwise("value_si").alias("value_si"),
        pl.lit("estimated").alias("quality"),
        pl.lit(int(Reason.INTERPOLATED), pl.Int64).alias("flags"),
        pl.lit(0, pl.Int8).alias("mask"),
        pl.lit("linear").alias("estimator"),
    )


def test_estimates_raise_nothing(suffer: Callable[..., Outcome], tmp_path: Path) -> None:
    """A day of estimates, though they look like a burst, raises no incident and no suspicion."""
    suffer()
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"))
    estimated(ctx, DAYS - 1, 2.0)
    run(ctx, range(DAYS - 1, DAYS), WATCHED[1:])
    assert Outcome(ctx).leaks == 0
    hypotheses = ctx.warehouse.read("detection.hypotheses", part(DAYS - 1))
    assert hypotheses is not None
    assert hypotheses.filter(kind="leak").is_empty()


def test_a_leak_is_found_and_estimates_do_not_close_it(
    suffer: Callable[..., Outcome], tmp_path: Path
) -> None:
    """VAL6: a leak whose readings are all outliers is found; a day of estimates ends nothing.

    That a value ten sigma off is flagged, kept and usable is shown where it is flagged.
    """
    suffer(wide=town(tmp_path, leaks=(("12", FAULTY_FROM, DAYS, 600.0),)))
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"))
    assert statuses(ctx) == {"open"}
    known = ctx.warehouse.read("detection.hypotheses", part(DAYS - 1))
    assert known is not None
    rewritten(
        ctx,
        DAYS - 1,
        (pl.col("flags") | int(Reason.OUTLIER)).alias("flags"),
        pl.lit("suspect").alias("quality"),
    )
    run(ctx, range(DAYS - 1, DAYS), WATCHED[1:])
    flagged = ctx.warehouse.read("detection.hypotheses", part(DAYS - 1))
    assert flagged is not None
    assert flagged.equals(known)
    assert statuses(ctx) == {"open"}
    estimated(ctx, DAYS - 1, 0.5)
    run(ctx, range(DAYS - 1, DAYS), WATCHED[1:])
    assert statuses(ctx) == {"open"}


def statuses(ctx: StepContext) -> set[str]:
    """Return the status of all leak incidents at the end of the last day."""
    days = ctx.warehouse.read("incidents.incident_days", part(DAYS - 1))
    assert days is not None
    return set(days["status"])
