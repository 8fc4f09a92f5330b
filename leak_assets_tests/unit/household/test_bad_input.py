"""What meters, people and brokers get wrong: each is kept with its reason, the engine goes on."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.errors import InputError
from leak_assets.household.context import occupancy_class
from leak_assets.household.control_rows import say
from leak_assets.household.controls import Control
from leak_assets.household.engine import HomeState
from leak_assets.household.history import run_steps
from leak_assets.household.home import Home, home_of
from leak_assets.household.learning import Learned
from leak_assets.household.live import LiveHome
from leak_assets.household.meter import Meter
from leak_assets.household.readings import home_readings, known_before, steps_of
from leak_assets.household.settings import HomeSettings
from leak_assets.household.stream import home_stream
from leak_assets.settings import Settings
from leak_assets.sites.site import Site, find_site
from leak_assets.telemetry.readers.messages import Message, Unusable, decode, frame_of, readings
from leak_assets.telemetry.readers.spooled import parse_rows
from leak_assets.telemetry.readers.times import TimeRange
from leak_assets.warehouse import Warehouse
from leak_assets_tests.live_homes import registered_home

NOW = datetime(2019, 4, 2, 12, tzinfo=UTC)
FLOW = {"ts": NOW.isoformat(), "flow": 6.0}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Home, Settings]:
    """A registered home."""
    folder = tmp_path_factory.mktemp("bad")
    settings = Settings(LEAK_ASSETS_HOME=folder / "home")
    registered_home(folder, settings, "meadow-7")
    site = find_site("meadow-7", settings)
    return site, home_of(site), settings


def heard(place: tuple[Site, Home, Settings], *payloads: bytes) -> tuple[pl.DataFrame, list[str]]:
    """Return raw readings of a tracker's messages, and the reasons of what was quarantined."""
    site, _, settings = place
    names = home_stream("redis://broker", [site], settings).names
    found = []
    for number, payload in enumerate(payloads):
        message = Message("tracker_state_meadow-7", str(number), payload)
        document = decode(message)
        said = (
            (document,) if isinstance(document, Unusable) else tuple(readings(document, names, {}))
        )
        found.append((message, said))
    rows = frame_of(found, TimeRange(date(2018, 1, 1), NOW, 3600), "UTC")
    parsed = parse_rows(
        rows, source="test", network=site.name, layout=site.layout, contract=site.contract,
        received_at=NOW, refuses_impossible=not site.is_validated,
    )  # fmt: skip
    return parsed.readings, parsed.quarantine["reason"].to_list()


def tracked(**more: object) -> bytes:
    """Return a message; None leaves a field out."""
    return json.dumps({k: v for k, v in {**FLOW, **more}.items() if v is not None}).encode()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"no JSON at all", "malformed_json"),
        (b'{"flow": 6.0}', "no_ts"),
        (tracked(occupancy="partying"), "unknown_word"),
        (tracked(people=-1), "out_of_range"),
        (tracked(flow="six"), "not_a_number"),
        (tracked(ts=(NOW + timedelta(days=1)).isoformat()), "timestamp_out_of_range"),
    ],
)
def test_messages_that_cannot_be_used_are_quarantined(
    place: tuple[Site, Home, Settings], payload: bytes, reason: str
) -> None:
    """With their reason; the good message beside them arrives, and so does the rest of theirs."""
    raw, reasons = heard(place, payload, tracked(ts=(NOW - timedelta(minutes=1)).isoformat()))
    assert reasons == [reason]
    _, home, _ = place
    found = home_readings(raw, Meter(), home)
    assert found["problem"].to_list()[0] is None
    assert found["seconds"][0] > 0


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ([6.0, -3.0, 6.0], [None, "negative_flow", None]),
        ([6.0, 1e6, 6.0], [None, "implausible_flow", None]),
    ],
)
def test_values_that_cannot_be_believed_measure_nothing(
    place: tuple[Site, Home, Settings], values: list[float], problems: list[str | None]
) -> None:
    """They stay in `household.readings` with their reason."""
    payloads = [
        tracked(ts=(NOW + timedelta(minutes=n)).isoformat(), flow=value)
        for n, value in enumerate(values)
    ]
    raw, reasons = heard(place, *payloads)
    assert reasons == []
    found = home_readings(raw, Meter(), place[1])
    assert found["problem"].to_list() == problems
    assert [seconds > 0 for seconds in found["seconds"]] == [p is None for p in problems]


def test_two_homes_with_one_name_are_noticed(place: tuple[Site, Home, Settings]) -> None:
    """Two values of one time: the later counts, and the reading says so."""
    raw, _ = heard(place, tracked(), tracked(flow=9.0))
    found = home_readings(raw, Meter(), place[1])
    assert found["problem"].to_list() == ["two_values"]
    assert found["flow_l_per_min"].to_list() == [9.0]


def test_a_stream_that_goes_back_in_time_is_not_heard_twice(
    place: tuple[Site, Home, Settings],
) -> None:
    """What is late for the stream is in order for the batch of its day."""
    _, home, settings = place
    live = LiveHome(home, Warehouse.from_settings(settings), lambda: None, learned=Learned())
    late, newest = (
        tracked(ts=(NOW - timedelta(minutes=back)).isoformat(), flow=4.0) for back in (5, 1)
    )
    live.hear(heard(place, newest)[0], NOW)
    before = live.state
    live.hear(heard(place, late)[0], NOW)
    assert live.state.last_s == before.last_s
    both = home_readings(heard(place, newest, late)[0], Meter(), home)
    assert both["problem"].to_list() == [None, None]


def test_bad_messages_leave_an_alarm_on(place: tuple[Site, Home, Settings]) -> None:
    """OFF never follows from what cannot be believed or is missing."""
    _, home, _ = place
    payloads = [
        tracked(ts=(NOW - timedelta(minutes=60 - n)).isoformat(), flow=0.5) for n in range(30)
    ]
    bad = [
        tracked(ts=(NOW - timedelta(minutes=29)).isoformat(), flow=-1.0),
        tracked(ts=(NOW - timedelta(minutes=28)).isoformat(), flow=5e5),
        b"{",
    ]
    raw, _ = heard(place, *payloads, *bad)
    steps = steps_of(home_readings(raw, Meter(), home))
    state, events, _ = run_steps(HomeState(), steps, Learned(days=60), home.settings)
    assert [event.event for event in events] == ["on"]
    assert state.is_on


def test_a_home_has_words_of_its_own(place: tuple[Site, Home, Settings]) -> None:
    """HOU2: lists of away and vacation words are settings; raw word and class are both kept."""
    site, _, _ = place
    own = {"settings": {**site.details["settings"], "words": {"Ausflug": "away"}}}
    home = home_of(replace(site, details=own))
    code = float(home.occupancy_words.index("ausflug"))
    raw, _ = heard(place, tracked())
    said = raw.with_columns(
        quantity=pl.lit("occupancy"), sensor_id=pl.lit("occupancy"), value=pl.lit(code),
        unit=pl.lit("1"),
    )  # fmt: skip
    found = home_readings(pl.concat([raw, said]), Meter(), home)
    assert (found["occupancy"][0], found["problem"][0]) == ("ausflug", None)
    assert occupancy_class("Ausflug", home.settings) == "away"
    assert occupancy_class("Ausflug", HomeSettings()) == "home"


def test_who_was_at_home_is_known_the_next_day(place: tuple[Site, Home, Settings]) -> None:
    """People are told when they change: also after the day's last reading, and for days."""
    _, home, _ = place
    raw, _ = heard(place, tracked(occupancy="home", people=2))
    later, _ = heard(
        place, tracked(ts=(NOW + timedelta(seconds=5)).isoformat(), flow=None, occupancy="vacation")
    )
    today = home_readings(raw, Meter(), home)
    meter = known_before(pl.concat([raw, later]), today, home)
    assert (meter.occupancy, meter.people) == ("vacation", 2)
    quiet, _ = heard(place, tracked(ts=(NOW + timedelta(hours=1)).isoformat()))
    tomorrow = home_readings(quiet, meter, home)
    assert tomorrow["occupancy"].to_list() == ["vacation"]
    assert known_before(quiet, tomorrow, home).occupancy == "vacation"


@pytest.mark.parametrize(
    ("action", "until_s"),
    [("party", 100.0), ("pause", None), ("pause", 0.0), ("guests", -5.0), ("learn", 1e9)],
)
def test_words_without_a_sensible_end_are_refused(
    tmp_path: Path, action: str, until_s: float | None
) -> None:
    """One line with the remedy; nothing is written."""
    warehouse = Warehouse.from_settings(Settings(LEAK_ASSETS_HOME=tmp_path))
    control = Control(0.0, action, until_s)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        say(warehouse, "meadow-7", control, actor="test", at=NOW)
    assert warehouse.partitions("household.controls") == []


def test_a_home_is_checked_when_it_is_registered(tmp_path: Path) -> None:
    """One line that names the key, exit code 2, and nothing is registered."""
    registered_home(tmp_path, Settings(LEAK_ASSETS_HOME=tmp_path / "other"), "meadow-7")
    text = (tmp_path / "meadow-7.yaml").read_text()
    (tmp_path / "odd.yaml").write_text(text.replace("stale_s", "stale_minutes"))
    result = CliRunner(env={"LEAK_ASSETS_HOME": str(tmp_path / "home")}).invoke(
        app, ["sites", "register", str(tmp_path / "odd.yaml")]
    )
    assert isinstance(result.exception, InputError)
    assert "stale_minutes" in str(result.exception)
    assert not (tmp_path / "home" / "var" / "sites" / "meadow-7.yaml").exists()


@pytest.mark.parametrize(
    "values",
    [{"zone": "Mars/Base"}, {"step_s": 0}, {"percentile": "p50"}, {"location_mode": "party"},
     {"gate_risk": -1}, {"horizon": 60}, {"words": {"party": "loud"}},
     {"min_count": "ten"}, {"seasonal": 1},
     {"holidays": ["Easter"]}, {"holidays": 5}, {"words": ["party"]}],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_refused(values: dict[str, object]) -> None:
    """HOU18: each option is a key that is checked."""
    with pytest.raises(InputError):
        HomeSettings.of(values)
