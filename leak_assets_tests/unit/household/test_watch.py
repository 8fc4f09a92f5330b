"""Homes on real brokers: topics of one home touch that home only; Home Assistant reads and asks."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.household.stream import home_stream, updated_home
from leak_assets.household.watch import HouseholdWatch
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.collect import Collector
from leak_assets.telemetry.sources.drivers import open_stream
from leak_assets_tests.brokers import mosquitto, mosquitto_binary, valkey, valkey_binary
from leak_assets_tests.live_homes import (
    HomeAssistantReader,
    home_assistant_reader,
    minutes,
    raw_readings,
    registered_home,
    tracked,
    until,
)

needs_mosquitto = pytest.mark.skipif(mosquitto_binary() is None, reason="no mosquitto here")
needs_valkey = pytest.mark.skipif(valkey_binary() is None, reason="no Valkey here")


@contextmanager
def watched(ctx: StepContext, source: str, *names: str) -> Iterator[HouseholdWatch]:
    """Watch homes in a thread of this process."""
    homes = [ctx.site(name) for name in names]
    config = home_stream(source, homes, ctx.settings)
    lines: list[str] = []
    watching = HouseholdWatch(
        homes,
        ctx.warehouse,
        config.name,
        lambda site: process_landing_zone(ctx, site) and None,
        None,
        lines.append,
    )
    collector = Collector(
        config, open_stream(config), ctx.settings, ctx.warehouse, lines.append, watching
    )
    thread = threading.Thread(target=collector.run)
    thread.start()
    try:
        yield watching
    finally:
        collector.stop()
        thread.join(timeout=20)
        assert not thread.is_alive(), lines


def live_state(ctx: StepContext, name: str) -> dict[str, object]:
    """Return the row of a home's live state."""
    found = ctx.warehouse.read("household.live_states", {"site": name})
    return {} if found is None else found.row(0, named=True)


@needs_valkey
def test_topics_of_a_home_touch_that_home_only(tmp_path: Path) -> None:
    """ING12: tracker_state_<home> moves its live state, engine_updated_<home> its baselines."""
    import redis

    settings = Settings(LEAK_ASSETS_HOME=tmp_path / "home")
    for name in ("meadow-7", "hill-1"):
        registered_home(tmp_path, settings, name)
    ctx = StepContext.local(settings)
    yesterday = datetime.now(UTC).replace(hour=12, minute=0, second=0) - timedelta(days=1)
    now = datetime.now(UTC)
    with (
        valkey(tmp_path / "valkey") as broker,
        redis.Redis(port=broker.port) as client,
        watched(ctx, f"redis://127.0.0.1:{broker.port}", "meadow-7", "hill-1"),
    ):
        before = live_state(ctx, "hill-1")
        for flow in (6.0, 0.0, 6.0, 0.0):
            for payload in minutes(yesterday, 5, flow):
                client.xadd("tracker_state_meadow-7", {"data": payload})
            yesterday += timedelta(minutes=5)
        until(lambda: live_state(ctx, "meadow-7")["last_measured_at"])
        client.xadd("tracker_state_meadow-7", {"data": b"no JSON at all"})
        client.xadd("tracker_state_meadow-7", {"data": tracked(now, 3.0, people=2)})
        until(lambda: live_state(ctx, "meadow-7")["flow_now_l_per_min"] == 3.0)
        # The day before was taken when the new day began; the signal takes what came since.
        client.xadd("engine_updated_meadow-7", {"data": b"{}"})
        until(lambda: ctx.warehouse.partitions("household.baselines", site="meadow-7")[1:])
        assert ctx.warehouse.partitions("household.baselines", site="hill-1") == []
        assert live_state(ctx, "hill-1") == before
        assert live_state(ctx, "meadow-7")["learned_for"] == now.date()
    bad = ctx.warehouse.read_all("telemetry.quarantine", network="meadow-7")
    assert bad["reason"].to_list() == ["malformed_json"]


def test_the_urls_topics_follow_from_the_homes(tmp_path: Path) -> None:
    """MQTT names each home, Redis a pattern; homes that call sensors otherwise are refused."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path / "home")
    registered_home(tmp_path, settings, "meadow-7")
    ctx = StepContext.local(settings)
    sites = [ctx.site("meadow-7")]
    config = home_stream("mqtt://broker", sites, settings)
    assert config.topics == ("tracker_state_meadow-7", "engine_updated_meadow-7")
    assert home_stream("redis://broker", sites, settings).topics == (
        "tracker_state_*",
        "engine_updated_*",
    )
    assert updated_home("a/engine_updated_meadow-7") == "meadow-7"
    assert updated_home("tracker_state_meadow-7") is None
    other = (tmp_path / "meadow-7.yaml").read_text().replace("main", "meter")
    (tmp_path / "other.yaml").write_text(other.replace("name: meadow-7", "name: other"))
    register_site(tmp_path / "other.yaml", settings)
    with pytest.raises(InputError, match="otherwise"):
        home_stream("mqtt://broker", [*sites, ctx.site("other")], settings)


def test_a_feed_that_falls_silent_leaves_the_alarm_on(tmp_path: Path) -> None:
    """HOU17: the stored state says ON and `stale`."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path / "home")
    registered_home(tmp_path, settings, "meadow-7", stale_s=1.0)
    ctx = StepContext.local(settings)
    watching = HouseholdWatch(
        [ctx.site("meadow-7")], ctx.warehouse, "test", lambda _: None, None, lambda _: None
    )
    live, now = watching.home("meadow-7"), datetime.now(UTC)
    rows = [(now - timedelta(minutes=back), "main", "flow", 0.5) for back in range(20, -1, -1)]
    live.hear(raw_readings("meadow-7", rows, now), now)
    assert live.state.is_on
    until(lambda: watching.turn() or live_state(ctx, "meadow-7")["status"] == "stale")
    assert live_state(ctx, "meadow-7")["is_on"]


@contextmanager
def watching_process(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `leak-assets household watch` with Home Assistant on one broker."""
    url = f"mqtt://127.0.0.1:{port}"
    code = "import sys; sys.argv[0] = 'leak-assets'; from leak_assets.cli import main; main()"
    command = [sys.executable, "-c", code, "household", "watch", "--source", url]
    with (home / "watch.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--home-assistant", url],
            env={**os.environ, "LEAK_ASSETS_HOME": str(home)},
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


LEAK, STATUS = "binary_sensor.meadow_7_intelligent_leak", "binary_sensor.meadow_7_engine_status"
PAUSE = "switch.meadow_7_pause"


@needs_mosquitto
def test_home_assistant_reads_and_asks(tmp_path: Path) -> None:
    """Discovery, states, sixteen attributes, last will, a kill in a session, birth, the switch."""
    folder = tmp_path / "home"
    settings = Settings(LEAK_ASSETS_HOME=folder)
    registered_home(tmp_path, settings, "meadow-7", title="Meadow 7")
    with mosquitto(tmp_path / "mqtt") as broker, home_assistant_reader(broker.port) as reader:
        with watching_process(folder, broker.port) as process:
            until(lambda: reader.state(LEAK) == "OFF", 40)
            _check_discovery(reader)
            assert reader.state(STATUS) == "ON", "no reading has come yet"
            now = datetime.now(UTC)
            topic = "tracker_state_meadow-7"
            for payload in minutes(now, 25, 1.0, people=2, occupancy="Wake Up"):
                reader.publish(topic, payload)
            until(lambda: reader.state(LEAK) == "ON")
            until(lambda: reader.state(STATUS) == "OFF")
            found = until(lambda: reader.attributes(LEAK))
            assert len(found) == 16
            assert any("low_flow" in reason for reason in found["reasons"])
            assert (found["occupancy_raw"], found["people_bin"]) == ("wake up", "2-3")
            assert reader.state("sensor.meadow_7_flow") == "1.00"
            assert float(reader.state("sensor.meadow_7_volume_today") or 0) > 0
            process.kill()
            until(lambda: reader.state(LEAK) == "unavailable")
            # Said while nobody listened: the broker keeps it.
            reader.publish(topic, tracked(now + timedelta(seconds=1), 1.0))
        with watching_process(folder, broker.port):
            until(lambda: reader.state(LEAK) == "ON", 40)
            until(lambda: reader.attributes(LEAK)["elapsed_s"] >= 24 * 60)
            # Home Assistant begins anew and asks for all.
            reader.configs.clear()
            reader.publish("homeassistant/status", "online")
            until(lambda: reader.state(PAUSE) == "OFF")
            reader.switch(PAUSE, "ON")
            until(lambda: reader.state(PAUSE) == "ON")
            assert reader.state(LEAK) == "ON", "an alarm that is on stays on"
            reader.switch(PAUSE, "OFF")
            until(lambda: reader.state(PAUSE) == "OFF")
            for seconds in (60, 120):
                reader.publish(topic, tracked(now + timedelta(seconds=seconds), 0.0))
            until(lambda: reader.state(LEAK) == "OFF")
        until(lambda: reader.state(LEAK) == "unavailable")
    ctx = StepContext.local(settings)
    events = ctx.warehouse.read_all("household.live_events", site="meadow-7").sort("ts_utc")
    assert events.filter(pl.col("event").is_in(["on", "off"]))["event"].to_list() == ["on", "off"]
    said = ctx.warehouse.read_all("household.controls", site="meadow-7").sort("at_utc")
    assert said["action"].to_list() == ["pause", "resume"]
    assert said["actor"].unique().to_list() == ["home assistant"]


def _check_discovery(reader: HomeAssistantReader) -> None:
    """Check what the documentation of discovery by device demands."""
    ((topic, config),) = reader.configs.items()
    assert topic == "homeassistant/device/leak_assets_meadow_7/config"
    assert config["device"]["identifiers"]
    assert config["device"]["name"] == "Meadow 7"
    assert config["origin"]["name"] == "leak-assets"
    components = config["components"].values()
    assert {c["platform"] for c in components} == {"binary_sensor", "sensor", "switch"}
    assert len({c["unique_id"] for c in components}) == len(components)
    for c in components:
        assert c["default_entity_id"].startswith(f"{c['platform']}.meadow_7_")
        assert c["name"]
    for entity in ("sensor.meadow_7_flow", "sensor.meadow_7_volume_today", "sensor.meadow_7_risk"):
        assert reader.entity(entity)
    assert reader.entity(PAUSE)["command_topic"]
