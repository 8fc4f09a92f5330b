"""The live watch: at once, the same as the day's run, across restarts, with bad readings."""

import json
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.plant.simulator.simulator import messages, simulate_plant
from leak_assets.runs.daemonless import process_landing_zone, take_waiting
from leak_assets.runs.plant_watch import PlantWatch, alone
from leak_assets.system.files import publish
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.sources.landing import SETTLE_S
from leak_assets_tests.plants import current_anomalies, plant_home, said, spool, steady

# Yesterday's noon: no test runs into midnight.
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
SAME = ["anomaly_id", "type", "ts_utc", "sensor_id", "parameter", "value", "started_at",
        "duration_s", "message"]  # fmt: skip


def s(seconds: float) -> timedelta:
    """Return so many seconds."""
    return timedelta(seconds=seconds)


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    """A home with a plant of two sensors."""
    return plant_home(tmp_path / "home", sensors=2)


def watch(ctx: StepContext, lines: list[str] | None = None) -> PlantWatch:
    """Return a watch of the plant that starts no other process."""
    said_lines = [] if lines is None else lines
    return PlantWatch(ctx, ctx.site("works"), said_lines.append, take_after_s=None)


def state(ctx: StepContext) -> dict[str, object]:
    """Return the row of the watch."""
    return ctx.warehouse.sql("SELECT * FROM plant.live_states").row(0, named=True)


def test_an_anomaly_is_seen_before_any_run(ctx: StepContext) -> None:
    """A spooled reading is an anomaly in SQL after one look, and its value is known."""
    begin = NOW - s(60)
    spool(ctx.settings, [*steady(begin, begin + s(8)), said(begin + s(10), temperature=45.2)], NOW)
    lines: list[str] = []
    watch(ctx, lines).step(NOW)
    (row,) = current_anomalies(ctx).to_dicts()
    assert (row["type"], row["value"], row["sensor_id"]) == ("spike", 45.2, "wtf-pipe-1")
    assert row["message"] == "Temperature spike detected: 45.2 exceeds threshold 40.0"
    values = ctx.warehouse.sql("SELECT * FROM plant.live_values WHERE parameter = 'temperature'")
    assert values["value"].to_list() == [45.2]
    assert "wtf-pipe-1: Temperature spike detected" in lines[0]
    assert not ctx.warehouse.partitions("plant.anomalies")


def test_the_last_minutes_are_kept_for_a_look(ctx: StepContext) -> None:
    """One reading for each ten seconds of the last ten minutes, also after a restart."""
    begin = NOW - s(900)
    spool(ctx.settings, steady(begin, NOW - s(30)), NOW - s(30))
    watch(ctx).step(NOW - s(30))
    spool(ctx.settings, [*steady(NOW - s(28), NOW), said(NOW + s(2), flow=77.0)], NOW)
    watch(ctx).step(NOW)
    minutes = ctx.warehouse.sql(
        "SELECT ts_utc, value FROM plant.live_minutes WHERE parameter = 'flow' ORDER BY ts_utc"
    )
    assert minutes["value"].to_list()[-1] == 77.0
    assert minutes["ts_utc"].is_unique().all()
    assert 58 <= minutes.height <= 62
    assert minutes["ts_utc"].min() > NOW - s(600)  # type: ignore[operator]


def test_the_day_s_run_gives_the_same_rows(ctx: StepContext) -> None:
    """An hour in batches, a restart after each fifth: live rows are those of the run after it."""
    begin = NOW - s(3700)
    run = simulate_plant(3600, 5, start_at=begin, sensors=2, anomaly_rate_per_h=40.0)
    sent = messages(run.readings)
    watching = watch(ctx)
    for first in range(0, len(sent), 100):
        part = sent[first : first + 100]
        received = datetime.fromisoformat(part[-1]["timestamp"]) + s(0.5)
        spool(ctx.settings, part, received)
        if first % 500 == 0:
            watching = watch(ctx)
        watching.step(received)
    # The clock goes on until the day is over: both sensors fall silent.
    watching.step(NOW.replace(hour=23, minute=59, second=59) + s(3))
    live = current_anomalies(ctx).select(SAME)
    assert set(live["type"]) == {"spike", "drift", "dropout"}
    process_landing_zone(ctx, ctx.site("works"))
    judged = ctx.warehouse.sql("SELECT * FROM plant.anomalies ORDER BY anomaly_id")
    assert judged.select(SAME).equals(live)
    assert current_anomalies(ctx).select(SAME).equals(live)
    # What the run has judged is not kept twice for long.
    watch(ctx).step(NOW)
    kept = ctx.warehouse.sql("SELECT * FROM plant.live_anomalies")
    assert kept.height < live.height
    assert current_anomalies(ctx).select(SAME).equals(live)


def test_a_restart_loses_nothing_and_repeats_nothing(ctx: StepContext) -> None:
    """A drift that spans a restart is one, and killed between the two writes nothing doubles."""
    begin = NOW - s(60)
    spool(ctx.settings, steady(begin, begin + s(10), pressure=0.8), begin + s(11))
    watch(ctx).step(begin + s(11))
    assert current_anomalies(ctx).is_empty()
    before = ctx.warehouse.path("plant.live_states", {"site": "works"})
    known = before.read_bytes()
    spool(ctx.settings, steady(begin + s(12), begin + s(18), pressure=0.8), begin + s(19))
    watch(ctx).step(begin + s(19))
    rows = current_anomalies(ctx)
    assert rows["type"].to_list() == ["drift"]
    assert rows["started_at"].to_list() == [begin]
    # Killed after the anomalies were written, before the state was.
    publish(before, known)
    watch(ctx).step(begin + s(20))
    assert current_anomalies(ctx).equals(rows)
    # What was judged is not judged again.
    counted = state(ctx)["judged_readings"]
    watch(ctx).step(begin + s(21))
    assert state(ctx)["judged_readings"] == counted == 30


def test_what_a_run_took_before_the_watch_saw_it_is_read_from_the_log(ctx: StepContext) -> None:
    """A daemon that is faster takes nothing away: the drift of three batches is one."""
    begin = NOW - s(60)
    site = ctx.site("works")
    parts = [(0, 6), (8, 12), (14, 20)]
    for number, (first, last) in enumerate(parts):
        received = begin + s(last + 1)
        spool(ctx.settings, steady(begin + s(first), begin + s(last), flow=15.0), received)
        if number == 0:
            watching = watch(ctx)
            watching.step(received)
        elif number == 1:
            take_waiting(ctx, site)
    watching.step(begin + s(21))
    live = ctx.warehouse.sql("SELECT * FROM plant.live_anomalies")
    assert live["started_at"].to_list() == [begin]
    assert state(ctx)["judged_readings"] == 33


def test_a_watch_that_was_down_goes_on_from_the_run(ctx: StepContext) -> None:
    """What a run judged meanwhile is not judged again, nor are its sensors silent."""
    begin = NOW - s(120)
    watch(ctx).step(begin)
    spool(ctx.settings, steady(begin, begin + s(40), pressure=0.8), begin + s(41))
    process_landing_zone(ctx, ctx.site("works"))
    watch(ctx).step(begin + s(42))
    assert ctx.warehouse.sql("SELECT * FROM plant.live_anomalies").is_empty()
    spool(ctx.settings, steady(begin + s(42), begin + s(60), pressure=0.8), begin + s(61))
    watch(ctx).step(begin + s(61))
    drifts = current_anomalies(ctx).filter(pl.col("type") == "drift")
    assert drifts["started_at"].to_list() == [begin]


def test_silence_is_told_by_the_clock_and_again_when_it_ends(ctx: StepContext) -> None:
    """Not at ten seconds; then while it lasts, once; with its length when the sensor is back."""
    begin = NOW - s(60)
    spool(ctx.settings, steady(begin, begin + s(10)), begin + s(10))
    watching = watch(ctx)
    for after, count in ((11, 0), (20, 0), (22, 0), (22.5, 1), (30, 1)):
        watching.step(begin + s(after))
        assert current_anomalies(ctx).height == count, after
    (row,) = current_anomalies(ctx).to_dicts()
    assert (row["type"], row["parameter"], row["duration_s"]) == ("dropout", None, None)
    assert row["ts_utc"] == begin + s(20)
    spool(ctx.settings, [said(begin + s(31))], begin + s(31))
    watching.step(begin + s(31))
    (row,) = current_anomalies(ctx).to_dicts()
    assert (row["duration_s"], row["value"]) == (21.0, 21.0)


def test_a_restart_makes_nobody_silent(ctx: StepContext) -> None:
    """What waited for the process is heard before the clock judges."""
    begin = NOW - s(600)
    spool(ctx.settings, steady(begin, begin + s(10)), begin + s(10))
    watch(ctx).step(begin + s(10))
    watching = watch(ctx)
    watching.step(begin + s(60))
    assert current_anomalies(ctx).is_empty()
    spool(ctx.settings, steady(begin + s(12), begin + s(58)), begin + s(60))
    watching.step(begin + s(60.2))
    assert current_anomalies(ctx).is_empty()


def test_a_replay_of_old_readings_is_judged_by_its_own_clock(ctx: StepContext) -> None:
    """Readings of last year that come now are not silent since then."""
    begin = NOW - timedelta(days=400)
    watching = watch(ctx)
    for n in range(3):
        spool(ctx.settings, [said(begin + s(2 * n))], NOW + s(2 * n - 10))
        watching.step(NOW + s(2 * n - 10))
    assert current_anomalies(ctx).is_empty()
    watching.step(NOW + s(6.5))
    assert current_anomalies(ctx)["type"].to_list() == ["dropout"]


def test_readings_that_cannot_be_judged_have_a_reason(ctx: StepContext) -> None:
    """NaN, unknown sensors, the future, repetition, disorder: counted, told, and never a crash."""
    begin = NOW - s(60)
    lines: list[str] = []
    watching = watch(ctx, lines)
    spool(ctx.settings, steady(begin, begin + s(10)), begin + s(10))
    watching.step(begin + s(10))
    bad = [
        said(begin + s(12), temperature=float("nan"), pressure="much", flow=None),
        said(begin + s(11), pressure=1e9),
        said(begin + s(12), "nobody"),
        said(begin + timedelta(days=2)),
        said(begin + timedelta(minutes=30), "wtf-pipe-2"),
        said(begin + s(10)),
        said(begin + s(5), temperature=99.0),
        {"timestamp": "yesterday", "sensor_id": "wtf-pipe-1", "flow": 1.0},
        {"sensor_id": 7},
    ]
    spool(ctx.settings, bad, begin + s(13))
    watching.step(begin + s(13))
    reasons = json.loads(str(state(ctx)["not_judged"]))
    assert reasons == {
        "ahead": 3,
        "bad_timestamp": 1,
        "late": 3,
        "no_value": 1,
        "not_a_number": 1,
        "not_finite": 1,
        "out_of_range": 1,
        "repeated": 3,
        "timestamp_out_of_range": 3,
        "unknown_sensor": 3,
    }
    assert "3 late" in lines[-1]
    assert current_anomalies(ctx).is_empty()
    # A reading of the future makes nobody deaf or silent.
    spool(ctx.settings, [said(begin + s(14), "wtf-pipe-2", flow=300.0)], begin + s(14))
    watching.step(begin + s(14))
    assert current_anomalies(ctx)["value"].to_list() == [300.0]
    # The day's run judges what came late, and the quarantine has what cannot be used.
    process_landing_zone(ctx, ctx.site("works"))
    assert 99.0 in current_anomalies(ctx)["value"].to_list()
    kept = ctx.warehouse.sql("SELECT reason FROM telemetry.quarantine")["reason"].to_list()
    assert {"not_finite", "timestamp_out_of_range", "unknown_sensor"} <= set(kept)


def test_summaries_come_within_the_interval_and_wait_for_nobody(ctx: StepContext) -> None:
    """A text when a minute is over, kept in the table; a restart tells what was left."""
    begin = NOW - s(120)
    spool(ctx.settings, [said(begin, temperature=45.2)], begin)
    watching = watch(ctx)
    watching.step(begin)
    spool(ctx.settings, steady(begin + s(2), begin + s(58)), begin + s(59))
    watching.step(begin + s(59))
    assert not ctx.warehouse.partitions("plant.live_summaries")
    restarted = watch(ctx)
    restarted.step(begin + s(60))
    restarted.finish()
    (row,) = ctx.warehouse.sql("SELECT * FROM plant.live_summaries").to_dicts()
    assert row["generated_by"] == "template"
    assert "45.2 °C" in row["summary"]
    again = watch(ctx)
    late = [said(begin + s(60)), said(begin + s(62), flow=300.0)]
    spool(ctx.settings, late, begin + s(62))
    again.step(begin + s(62))
    again.step(begin + s(122))
    again.finish()
    texts = ctx.warehouse.sql("SELECT summary FROM plant.live_summaries")["summary"]
    assert ["45.2 °C" in text for text in texts] == [True, False]
    assert "Flow spike of 300 L/min" in texts[1]
    # The run takes over the live text: nobody pays for it twice.
    process_landing_zone(ctx, ctx.site("works"))
    made = ctx.warehouse.sql("SELECT created_at FROM plant.summaries")["created_at"].to_list()
    assert row["created_at"] in made


def test_a_plant_is_watched_once(ctx: StepContext) -> None:
    """A second watch is refused with a remedy."""
    with (
        alone(ctx.settings, "works"),
        pytest.raises(InputError, match="watched by another"),
        alone(ctx.settings, "works"),
    ):
        pass


def test_a_disk_that_refuses_loses_nothing(
    ctx: StepContext, blocked: Callable[[Path], object]
) -> None:
    """What could not be kept is judged again."""
    begin = NOW - s(60)
    spool(ctx.settings, [said(begin, flow=300.0)], begin)
    watching = watch(ctx)
    folder = ctx.warehouse.lake / "plant" / "live_anomalies"
    with blocked(folder), pytest.raises(OSError, match=r".*"):  # type: ignore[attr-defined]
        watching.step(begin)
    watching.step(begin + s(1))
    assert current_anomalies(ctx)["value"].to_list() == [300.0]


@pytest.fixture
def blocked() -> Callable[[Path], object]:
    """Return what puts a file where a folder is needed for a while."""
    from contextlib import contextmanager

    @contextmanager
    def block(folder: Path):  # type: ignore[no-untyped-def]
        aside = folder.with_name("aside")
        folder.rename(aside)
        folder.write_text("in the way")
        yield
        folder.unlink()
        aside.rename(folder)

    return block


def test_the_anomalies_of_a_deluge_are_written_once(ctx: StepContext) -> None:
    """Batches with thousands of spikes leave one row for each."""
    begin = NOW - s(1000)
    spool(ctx.settings, steady(begin, begin + s(900), flow=500.0), begin + s(901))
    watch(ctx).step(begin + s(901))
    rows = current_anomalies(ctx)
    assert rows.filter(pl.col("type") == "spike").height == 451
    assert rows.filter(pl.col("type") == "drift").height == 1


def test_a_thousand_messages_of_nonsense_are_quarantined(ctx: StepContext) -> None:
    """OPS8: whatever devices send, the watch goes on, and every message is accounted for."""
    chance = random.Random(7)  # noqa: S311 - of a test
    begin = NOW - s(60)
    pool: list[Any] = [
        None, True, -1, 1e308, -1e308, float("inf"), "", "x" * 500, "\x00", "<script>", [], {},
        "45", "../../etc/passwd", "'; DROP TABLE plant.anomalies; --", "٣", begin.isoformat(),
        10**400, {"a": [{"b": None}] * 5}, "wtf-pipe-1",
    ]  # fmt: skip
    names = ["timestamp", "sensor_id", "temperature", "pressure", "flow", "other"]
    sent = [{name: chance.choice(pool) for name in names} for _ in range(1000)]
    spool(ctx.settings, [*sent, said(begin, flow=300.0)], NOW)
    watch(ctx).step(NOW)
    assert 300.0 in current_anomalies(ctx)["value"].to_list()
    reasons = json.loads(str(state(ctx)["not_judged"]))
    assert sum(reasons.values()) > 900
    assert sorted(path.name for path in ctx.settings.home.iterdir()) == [
        "plant.yaml",
        "var",
        "warehouse",
    ]


def test_a_file_is_judged_where_it_waits_and_not_again_when_it_was_taken(
    ctx: StepContext, tmp_path: Path
) -> None:
    """The landing folder is a source like any other, beside a stream with nothing but nonsense."""
    begin = NOW - s(60)
    spool(ctx.settings, [{"sensor_id": 7}], NOW - s(70))
    run = simulate_plant(60, 5, start_at=begin, anomaly_rate_per_h=0.0)
    rows = run.readings.with_columns(
        value=pl.when(pl.col("parameter") == "flow").then(300.0).otherwise("value")
    )
    file = tmp_path / "export.parquet"
    rows.rename({"parameter": "quantity"}).write_parquet(file)
    deliver([file], ctx.settings.landing_dir, "works")
    time.sleep(SETTLE_S + 0.1)
    watching = watch(ctx)
    now = datetime.now(UTC)
    watching.step(now)
    live = current_anomalies(ctx)
    assert live.filter(pl.col("type") == "spike").height == 30
    assert state(ctx)["judged_readings"] == 90
    take_waiting(ctx, ctx.site("works"))
    watching.step(now + s(1))
    assert state(ctx)["judged_readings"] == 90
    assert json.loads(str(state(ctx)["not_judged"])) == {"no_value": 1}


def test_ten_thousand_anomalies_in_a_minute(ctx: StepContext) -> None:
    """ING9: memory is flat from the first third on; each is kept, one text has the number."""
    begin = NOW - s(60)
    watching = watch(ctx)
    memory = []
    for look in range(60):
        first = begin + s(look)
        wrong = {"temperature": 45.2, "pressure": 9.0, "flow": 300.0}
        sent = [
            said(first + s(number / 56), f"wtf-pipe-{number % 2 + 1}", **wrong)
            for number in range(56)
        ]
        spool(ctx.settings, sent, first + s(1))
        watching.step(first + s(1))
        memory.append(memory_mib())
    found = ctx.warehouse.sql("SELECT count(*) AS n FROM plant.live_anomalies")["n"][0]
    assert found == watching.counts.anomalies >= 10_000
    assert max(memory) < max(memory[:20]) + 32.0
    watching.tell_now()
    rows = ctx.warehouse.sql("SELECT * FROM plant.live_summaries ORDER BY first_at").to_dicts()
    assert sum(row["anomalies"] for row in rows) == found
    listed = ctx.settings.max_buffer_size
    assert any(row["summary"].endswith(f" And {row['anomalies'] - listed} more.") for row in rows)


def memory_mib() -> float:
    """Return what this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
