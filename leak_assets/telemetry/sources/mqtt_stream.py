"""MQTT 5 and 3.1.1: topics of a broker at QoS 1 in a session that outlives the process.

A message is acknowledged when the collector says so, never by the library. What a payload means is
the matter of `readers.messages`.
"""

import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from leak_assets.errors import InputError
from leak_assets.telemetry.readers.messages import Message

from .stream import StreamLostError, content_id, cut
from .stream_config import StreamConfig

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_PORT, _TLS_PORT = 1883, 8883
_KEEPALIVE_S = 60
_CONNECT_S = 10.0
# What may be held between two calls; the broker sends no more than its window beside it.
_MOST_HELD_BYTES = 64 * 2**20
_MOST_TOGETHER_BYTES = 8 * 2**20
_FIRST_ERROR = 128
# Reason codes of MQTT 5 that only the user can mend: bad user or password, not authorized.
_REFUSED = (134, 135)


class MqttStream:
    """Topic filters of a broker, a `Stream`.

    `topics` are filters with `+` and `#`, also `$share/<group>/<filter>` for several collectors.
    Options: `client_id` (names the session: keep it), `protocol` (`5` or `3.1.1`),
    `session_expiry_s` (how long the broker keeps the session without a collector; MQTT 5),
    `window` (messages that the broker sends without an acknowledgement; MQTT 5), `ca` (file of
    certificates for `mqtts://`).
    """

    replays = True

    def __init__(self, config: StreamConfig) -> None:
        config.check_options(("client_id", "protocol", "session_expiry_s", "window", "ca"))
        self._config = config
        self._client_id = config.option("client_id", f"leak-assets-{config.name}")
        protocol = str(config.options.get("protocol", "5"))
        if protocol not in ("5", "3.1.1"):
            raise InputError(
                f"{config.name}: option protocol is {protocol}", remedy="Set 5 or 3.1.1"
            )
        self._is_5 = protocol == "5"
        self._expiry_s = config.option("session_expiry_s", 7 * 86_400)
        self._window = config.option("window", 2000)
        self._client: Client | None = None
        # Numbers of messages are of a connection: what came by an earlier one comes again.
        self._connection = 0
        self._held: deque[Message] = deque()
        self._held_bytes = 0
        self._refused: list[int] | None = None

    def receive(self, most: int, timeout_s: float) -> list[Message]:
        """Return messages as soon as some are there and no more come at once."""
        client = self._connected()
        deadline = time.monotonic() + timeout_s
        while True:
            held, left_s = len(self._held), max(deadline - time.monotonic(), 0.0)
            if self._held_bytes >= _MOST_HELD_BYTES:
                # The broker's window is read no further; the connection ends if that lasts.
                self._check(client.loop_misc())
                time.sleep(left_s if not most else 0)
                break
            self._check(client.loop(timeout=0.0 if held and most else left_s))
            nothing_more = len(self._held) == held
            if most and (len(self._held) >= most or self._held_bytes >= _MOST_TOGETHER_BYTES):
                break
            if nothing_more and ((held and most) or time.monotonic() >= deadline):
                break
        found: list[Message] = []
        while self._held and len(found) < most:
            message = self._held.popleft()
            self._held_bytes -= len(message.payload)
            found.append(message)
        return found

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages of the present connection; others come again by themselves."""
        for message in messages:
            connection, number, quality = message.token
            if connection == self._connection and quality and self._client is not None:
                self._check(self._client.ack(number, quality))

    def close(self) -> None:
        """Disconnect; the broker keeps the session."""
        if self._client is not None:
            self._client.disconnect()
            self._forget()

    def _connected(self) -> "Client":
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> "Client":
        self._connection += 1
        self._refused = None
        # What this connection's predecessor had not handed out yet comes again.
        self._held.clear()
        self._held_bytes = 0
        client = self._new_client()
        try:
            self._open(client)
        except OSError as error:
            raise StreamLostError(f"{self._where}: {error}") from error
        deadline = time.monotonic() + _CONNECT_S
        while self._refused is None:
            code = client.loop(timeout=0.1)
            # A refusal ends the connection in the same moment.
            if self._refused is None and (code or time.monotonic() > deadline):
                raise StreamLostError(f"{self._where}: no answer")
        if self._refused:
            client.disconnect()
            self._refuse(self._refused)
        return client

    def _new_client(self) -> "Client":
        from paho.mqtt.client import Client, MQTTv5, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTv5 if self._is_5 else MQTTv311,
            clean_session=None if self._is_5 else False,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        if self._config.username is not None:
            password = self._config.password
            client.username_pw_set(
                self._config.username, None if password is None else password.get_secret_value()
            )
        if self._is_tls:
            # A missing file is the user's; the system's certificates otherwise.
            client.tls_set(ca_certs=self._config.options.get("ca"))
        return client

    def _open(self, client: "Client") -> None:
        port = self._config.port(_TLS_PORT if self._is_tls else _PORT)
        if not self._is_5:
            client.connect(self._config.host, port, _KEEPALIVE_S)
            return
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._expiry_s
        properties.ReceiveMaximum = self._window
        client.connect(
            self._config.host, port, _KEEPALIVE_S, clean_start=False, properties=properties
        )

    def _on_connect(self, client: "Client", _data: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            self._refused = [reason.value]
        else:
            client.subscribe([(topic, 1) for topic in self._config.topics])

    def _on_subscribe(self, _c: Any, _data: Any, _number: int, reasons: Any, _p: Any) -> None:
        self._refused = [r.value for r in reasons if r.value >= _FIRST_ERROR]

    def _on_message(self, _client: Any, _data: Any, got: Any) -> None:
        try:
            topic = got.topic
        except UnicodeDecodeError:
            topic = "(no UTF-8)"
        token = (self._connection, got.mid, got.qos)
        message = cut(topic, content_id(topic, got.payload), got.payload, token)
        self._held.append(message)
        self._held_bytes += len(message.payload)

    def _check(self, code: int) -> None:
        if code:
            from paho.mqtt.client import error_string

            self._forget()
            raise StreamLostError(f"{self._where}: {error_string(code)}")

    def _forget(self) -> None:
        self._client = None

    def _refuse(self, codes: list[int]) -> None:
        self._forget()
        if set(codes) & {*_REFUSED}:
            raise InputError(
                f"{self._where} refuses the user or a topic",
                remedy="Set LEAK_ASSETS_SOURCE_USERNAME and LEAK_ASSETS_SOURCE_PASSWORD, and give"
                f" the user the right to read {', '.join(self._config.topics)}",
            )
        raise StreamLostError(f"{self._where}: the broker refuses, reason {codes[0]}")

    @property
    def _is_tls(self) -> bool:
        return self._config.scheme == "mqtts"

    @property
    def _where(self) -> str:
        return f"{self._config.name} ({self._config.url})"
