"""The live engine: the stream says what the batch says, restarts lose nothing, one home only."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from leak_assets.household.control_rows import say
from leak_assets.household.controls import Control
from leak_assets.household.engine import HomeState
from leak_assets.household.export import export_history
from leak_assets.household.history import run_steps
from leak_assets.household.home import Home, home_of
from leak_assets.household.live import LiveHome
from leak_assets.household.live_rows import load, save
from leak_assets.household.memory import state_from_json
from leak_assets.household.meter import Meter
from leak_assets.household.readings import home_readings, steps_of
from leak_assets.household.simulator.faults import Fault
from leak_assets.household.simulator.habits import Household
from leak_assets.household.simulator.simulator import simulate_history
from leak_assets.household.watch import HouseholdWatch
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.sites.site import find_site
from leak_assets.telemetry.readers.spooled import SPOOLED
from leak_assets.telemetry.sources.spool import Spool
from leak_assets.warehouse import Warehouse
from leak_assets_tests.homes import PLAIN, learned
from leak_assets_tests.live_homes import HOME, raw_readings, registered_home

BEGIN = datetime(2019, 4, 2, 12, tzinfo=UTC)
FOREVER = learned()


class KnownHome(LiveHome):
    """An engine that knows the habits of `homes.learned` on every day."""

    def learn(self, day: date | None = None) -> None:
        """Know them for the day."""
        self.learned = replace(FOREVER, day=day)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Warehouse]:
    """A registered home and an empty warehouse."""
    folder = tmp_path_factory.mktemp("live")
    settings = Settings(LEAK_ASSETS_HOME=folder / "home")
    registered_home(folder, settings, "meadow-7")
    home = home_of(find_site("meadow-7", settings))
    return replace(home, settings=replace(PLAIN, step_s=60.0)), Warehouse.from_settings(settings)


def live_home(place: tuple[Home, Warehouse]) -> LiveHome:
    """Return an engine that knows the habits of `homes.learned`."""
    home, warehouse = place
    return KnownHome(home, warehouse, lambda: None)


def raw(rows: list[tuple[datetime, str, str, float]], received_at: datetime) -> pl.DataFrame:
    """Return raw readings of the home."""
    return raw_readings("meadow-7", rows, received_at)


@given(
    water=st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 0.4, 6.0, 6.0, 20.0, -3.0, 1e6]),
            st.integers(1, 30),
            st.sampled_from([0, 0, 0, 15, 300]),
            st.sampled_from([None, None, 0, 1, 3, 77]),
            st.sampled_from([None, None, -1, 0, 3]),
        ),
        max_size=15,
    ),
    chunk=st.integers(1, 50),
    restart=st.integers(0, 8),
)
@hypothesis_settings(deadline=None, max_examples=40)
def test_a_stream_says_what_the_batch_says(
    place: tuple[Home, Warehouse],
    water: list[tuple[float, int, int, int | None, int | None]],
    chunk: int,
    restart: int,
) -> None:
    """Same ON and OFF at the same times, in any chunks, with a restart, bad values and holes."""
    home, _ = place
    at, rows = BEGIN, []
    for flow, count, missing_min, occupancy, people in water:
        at += timedelta(minutes=missing_min)
        if occupancy is not None:
            rows.append((at, "occupancy", "occupancy", float(occupancy)))
        if people is not None:
            rows.append((at, "people", "people", float(people)))
        for _ in range(count):
            at += timedelta(minutes=1)
            rows.append((at, "main", "flow", flow))
    frame = raw(rows, at)
    # A hole of the stream may hide midnight: habits stay, the batch is one day here.
    readings = home_readings(frame, Meter(), home)
    state, batch, _ = run_steps(HomeState(), steps_of(readings), FOREVER, home.settings)
    live, events = live_home(place), []
    for number, first in enumerate(range(0, frame.height, chunk)):
        if number == restart and live.state.last_s is not None:
            save(live, (), at)
            who = live._who
            live = live_home(place)
            assert load(live)
            live._who = who
        events += live.hear(frame[first : first + chunk], at)
    assert [(e.at_s, e.event, e.kinds) for e in events] == [
        (e.at_s, e.event, e.kinds) for e in batch
    ]
    assert replace(live.state, meter=Meter()) == replace(state, meter=Meter())


def test_messages_that_come_again_change_nothing(place: tuple[Home, Warehouse]) -> None:
    """What was not acknowledged is heard twice."""
    rows = [(BEGIN + timedelta(minutes=n), "main", "flow", 6.0) for n in range(20)]
    frame = raw(rows, BEGIN + timedelta(minutes=20))
    live = live_home(place)
    events = live.hear(frame, BEGIN + timedelta(minutes=20))
    assert [event.event for event in events] == ["on"]
    before = live.state
    assert live.hear(frame[5:], BEGIN + timedelta(minutes=20)) == []
    assert live.state == before


def test_words_of_people_count_from_when_they_were_said(place: tuple[Home, Warehouse]) -> None:
    """A pause is heard from the warehouse, at once for the switch, for water by its own time."""
    _, warehouse = place
    live = live_home(place)
    at = BEGIN + timedelta(days=1)
    begin_s = at.timestamp()
    say(
        warehouse, "meadow-7", Control(begin_s + 300, "pause", begin_s + 1800, "pool"),
        actor="test", at=at,
    )  # fmt: skip
    assert live.listen()
    assert not live.listen()
    assert live.paused_until_s(begin_s + 310) == begin_s + 1800
    rows = [(at + timedelta(minutes=n), "main", "flow", 6.0) for n in range(1, 60)]
    events = live.hear(raw(rows, at + timedelta(hours=1)), at + timedelta(hours=1))
    assert [event.event for event in events] == ["pause_began", "pause_ended", "on"]
    assert events[2].at_s == begin_s + 1800


def test_the_volume_of_today_begins_at_local_midnight(place: tuple[Home, Warehouse]) -> None:
    """At 22 h UTC in a Berlin summer."""
    midnight = datetime(2019, 4, 2, 22, tzinfo=UTC)
    live = live_home(place)
    rows = [(midnight + timedelta(minutes=n), "main", "flow", 6.0) for n in range(-4, 6)]
    live.hear(raw(rows, midnight + timedelta(hours=1)), midnight + timedelta(hours=1))
    assert live.local_day == date(2019, 4, 3)
    assert live.volume_today_l == pytest.approx(5 * 6.0)


def test_days_of_a_stream_are_the_days_of_the_graph(tmp_path: Path) -> None:
    """Over midnights, with habits learned at each: ON and OFF as Dagster's days say them."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path / "home")
    text = HOME.format(name="meadow-7", title="", stale_s=900).replace(
        "learning_days: 0", "learning_days: 1, min_count: 3"
    )
    (tmp_path / "home.yaml").write_text(text)
    register_site(tmp_path / "home.yaml", settings)
    ctx = StepContext.local(settings)
    site = ctx.site("meadow-7")
    begin = datetime(2019, 3, 3, tzinfo=UTC)
    faults = [
        Fault("burst", begin + timedelta(hours=10), begin + timedelta(hours=12), 20.0),
        Fault("slow_leak", begin + timedelta(hours=22), begin + timedelta(hours=27), 0.4),
    ]
    history = simulate_history(
        4, 3, household=Household(people=2), step_s=60, first_day=date(2019, 3, 1), faults=faults
    )
    export_history(history, 60, tmp_path / "home.parquet")
    readings = pl.read_parquet(tmp_path / "home.parquet")
    spool = Spool("stream", settings)
    watching = HouseholdWatch(
        [site],
        ctx.warehouse,
        "stream",
        lambda one: process_landing_zone(ctx, one) and None,
        None,
        lambda _: None,
    )
    for _, hours in readings.sort("ts_utc").group_by_dynamic("ts_utc", every="3h"):
        rows = _as_spooled(hours)
        received_at = datetime.now(UTC)
        days = (hours["ts_utc"].min().date(), hours["ts_utc"].max().date())  # type: ignore[union-attr]
        spool.write("meadow-7", rows, days, received_at)
        watching.written("meadow-7", rows, received_at)
    process_landing_zone(ctx, site)
    told, made = (
        ctx.warehouse.read_all(f"household.{table}", site="meadow-7")
        .filter(pl.col("event").is_in(["on", "off"]))
        .sort("ts_utc")
        .select("ts_utc", "event", "kinds", "reasons")
        for table in ("live_events", "alerts")
    )
    assert made["event"].to_list()[:2] == ["on", "off"]
    assert_frame_equal(told, made)
    live = watching.home("meadow-7")
    status = ctx.warehouse.read_all("household.engine_status", site="meadow-7").sort("day")
    batch = state_from_json(status["state_json"][-1])
    assert replace(live.state, meter=Meter()) == replace(batch, meter=Meter())


def _as_spooled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return readings as a collector writes them."""
    message = pl.format("t@{}-{}-{}", "quantity", "sensor_id", "ts_utc")
    known = rows.with_columns(
        message=message, item=pl.lit(1, pl.Int64), sequence=pl.lit(1, pl.Int64),
        raw_text=pl.col("value").cast(pl.String),
    )  # fmt: skip
    missing = [
        pl.lit(None, dtype).alias(name) for name, dtype in SPOOLED.items() if name not in known
    ]
    return known.with_columns(missing).select(SPOOLED.names()).cast(dict(SPOOLED.items()))
