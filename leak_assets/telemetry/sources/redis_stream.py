"""Redis (and Valkey): streams read by a consumer group, and channels of pub/sub.

Streams keep what was not acknowledged and hand it out again; pub/sub keeps nothing. What a
payload means is the matter of `readers.messages`.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leak_assets.errors import InputError
from leak_assets.telemetry.readers.messages import MOST_BYTES, Message

from .stream import StreamLostError, content_id, cut
from .stream_config import StreamConfig

if TYPE_CHECKING:
    import redis

_PORT = 6379
_CONNECT_S = 5.0
_SCAN_EVERY_S = 5.0
_ACKNOWLEDGED_TOGETHER = 1000
_MOST_TOGETHER_BYTES = 8 * 2**20
_NUMBER = re.compile(rb"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_FIELD = "data"


class RedisStream:
    """Streams of Redis by a consumer group, a `Stream`.

    `topics` are keys of streams; one with `*` stands for all streams named so, also later ones.
    Options: `group`, `consumer`, `field` (of an entry that holds the JSON; an entry without it is
    the object itself), `start` (where a new group begins: `0`, or `$` for what comes from now).
    """

    replays = True

    def __init__(self, config: StreamConfig) -> None:
        config.check_options(("group", "consumer", "field", "start", "db"))
        self._config = config
        self._group = config.option("group", "leak-assets")
        # One name for all time: what it had when it was killed is handed out to it again.
        self._consumer = config.option("consumer", "collect")
        self._field = config.option("field", _FIELD).encode()
        self._start = config.option("start", "0")
        self._client: redis.Redis | None = None
        # Position in each stream: below `>` what was handed out before and not acknowledged.
        self._position: dict[bytes, str] = {}
        self._looked_at = 0.0
        # Of lately; a message may have so much, and the first may be one.
        self._largest_bytes = MOST_BYTES

    def receive(self, most: int, timeout_s: float) -> list[Message]:
        """Return entries; first those that an earlier process left unacknowledged."""
        if most <= 0:
            time.sleep(timeout_s)
            return []
        with _told(self._config):
            client = self._connected()
            self._find_streams(client)
            if not self._position:
                time.sleep(timeout_s)
                return []
            while True:
                is_catching_up = any(at != ">" for at in self._position.values())
                found = self._read(client, most, timeout_s)
                if found or not is_catching_up:
                    return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge entries in the group."""
        ids: dict[bytes, list[bytes]] = {}
        for message in messages:
            key, entry = message.token
            ids.setdefault(key, []).append(entry)
        with _told(self._config):
            self._acknowledge(self._connected(), ids)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _read(self, client: "redis.Redis", most: int, timeout_s: float) -> list[Message]:
        import redis

        back = {key: at for key, at in self._position.items() if at != ">"}
        wanted = back or self._position
        # Of the largest entries seen lately no more than fit: an answer comes as a whole.
        fit = _MOST_TOGETHER_BYTES // self._largest_bytes
        count = max(min(most, fit) // len(wanted), 1)
        options = [] if back else ["BLOCK", max(int(timeout_s * 1000), 1)]
        try:
            answer = client.execute_command(
                *("XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", count, *options),
                *("STREAMS", *wanted, *wanted.values()),
            )
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            # The stream was deleted, or the server lost it: begin it again.
            self._position.clear()
            self._looked_at = 0.0
            return []
        found: list[Message] = []
        gone: dict[bytes, list[bytes]] = {}
        for key, entries in _by_stream(answer):
            if key in back:
                self._position[key] = entries[-1][0].decode() if entries else ">"
            for entry, fields in entries:
                if fields:
                    found.append(self._message(key, entry, fields))
                else:
                    # Trimmed away by its producer while nobody had acknowledged it.
                    gone.setdefault(key, []).append(entry)
        self._acknowledge(client, gone)
        if found:
            largest = max(message.size_bytes or 0 for message in found)
            self._largest_bytes = max(largest, self._largest_bytes // 2, 1)
        return found

    def _message(self, key: bytes, entry: bytes, fields: Mapping[bytes, bytes]) -> Message:
        payload = fields.get(self._field)
        if payload is None:
            payload = _as_object(fields)
        return cut(key.decode("utf-8", "backslashreplace"), entry.decode(), payload, (key, entry))

    def _acknowledge(self, client: "redis.Redis", ids: Mapping[bytes, list[bytes]]) -> None:
        for key, entries in ids.items():
            for first in range(0, len(entries), _ACKNOWLEDGED_TOGETHER):
                some = entries[first : first + _ACKNOWLEDGED_TOGETHER]
                client.execute_command("XACK", key, self._group, *some)

    def _find_streams(self, client: "redis.Redis") -> None:
        """Make the group of each stream that is new; look for new ones now and then."""
        if self._position and time.monotonic() - self._looked_at < _SCAN_EVERY_S:
            return
        self._looked_at = time.monotonic()
        for topic in self._config.topics:
            if "*" in topic:
                keys = list(client.scan_iter(match=topic, _type="stream", count=1000))
            else:
                keys = [topic.encode()]
            for key in keys:
                if key not in self._position:
                    self._make_group(client, key)
                    self._position[key] = "0"

    def _make_group(self, client: "redis.Redis", key: bytes) -> None:
        import redis

        try:
            client.xgroup_create(key, self._group, id=self._start, mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _connected(self) -> "redis.Redis":
        if self._client is None:
            self._client = connect(self._config)
            # What the lost connection had fetched and nobody acknowledged comes once more.
            self._position.clear()
        return self._client


class RedisChannels:
    """Channels of Redis pub/sub, a `Stream` that keeps nothing.

    What is published while no collector listens, or in the moment that one dies, is lost: use
    streams where that matters. `topics` are channels; one with `*`, `?` or `[` is a pattern.
    """

    replays = False

    def __init__(self, config: StreamConfig) -> None:
        config.check_options(("db",))
        self._config = config
        self._client: redis.Redis | None = None
        self._subscription: Any = None

    def receive(self, most: int, timeout_s: float) -> list[Message]:
        """Return what was published."""
        if most <= 0:
            # Nothing is read: the server holds a little and then ends the connection.
            time.sleep(timeout_s)
            return []
        with _told(self._config):
            subscription = self._subscribed()
            found: list[Message] = []
            wait_s = timeout_s
            while len(found) < most:
                got = subscription.get_message(ignore_subscribe_messages=True, timeout=wait_s)
                if got is not None:
                    channel = got["channel"].decode("utf-8", "backslashreplace")
                    payload = got["data"]
                    found.append(cut(channel, content_id(channel, payload), payload))
                elif not subscription.connection.can_read(timeout=0):
                    break
                wait_s = 0.0
            return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Do nothing: the server has forgotten them."""

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._subscription.close()
            self._client.close()
            self._client = self._subscription = None

    def _subscribed(self) -> Any:
        if self._client is None:
            client = connect(self._config)
            subscription = client.pubsub()
            for topic in self._config.topics:
                is_pattern = any(sign in topic for sign in "*?[")
                (subscription.psubscribe if is_pattern else subscription.subscribe)(topic)
            self._client, self._subscription = client, subscription
        return self._subscription


def connect(config: StreamConfig) -> "redis.Redis":
    """Return a client that tries nothing again by itself: the collector does."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    password = config.password
    client = redis.Redis(
        host=config.host,
        port=config.port(_PORT),
        db=config.option("db", 0),
        username=config.username,
        password=None if password is None else password.get_secret_value(),
        ssl=config.scheme.startswith("rediss"),
        socket_connect_timeout=_CONNECT_S,
        socket_timeout=_CONNECT_S,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    client.ping()
    return client


@contextmanager
def _told(config: StreamConfig) -> Iterator[None]:
    """Tell errors of the client apart: what passes by itself, and what the user has to mend."""
    import redis

    where = f"{config.name} ({config.url})"
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        raise InputError(
            f"{where} refuses: {error}",
            remedy="Set LEAK_ASSETS_SOURCE_USERNAME and LEAK_ASSETS_SOURCE_PASSWORD, and give the"
            " user the right to XREADGROUP, XACK, XGROUP and SCAN",
        ) from error
    except redis.ResponseError as error:
        if "WRONGTYPE" in str(error):
            raise InputError(
                f"{where}: a key of `topics` is no stream", remedy="Name streams, written by XADD"
            ) from error
        raise StreamLostError(f"{where}: {error}") from error
    except (redis.RedisError, OSError) as error:
        raise StreamLostError(f"{where}: {error}") from error


def _by_stream(answer: Any) -> Iterator[tuple[bytes, list[tuple[bytes, Any]]]]:
    """Yield streams with their entries, however the client's version puts them."""
    pairs = answer.items() if isinstance(answer, Mapping) else answer or ()
    for key, entries in pairs:
        flat = entries[0] if entries and isinstance(entries[0], list) else entries
        yield key, list(flat)


def _as_object(fields: Mapping[bytes, bytes]) -> bytes:
    """Return the fields of an entry as a JSON object; numbers stay as they were written."""
    parts = []
    for name, value in fields.items():
        shown = value if _NUMBER.fullmatch(value) else _quoted(value)
        parts.append(_quoted(name) + b":" + shown)
    return b"{" + b",".join(parts) + b"}"


def _quoted(text: bytes) -> bytes:
    return json.dumps(text.decode("utf-8", "backslashreplace")).encode()
