"""The connection to Home Assistant's broker: discovery, states, birth, last will, the switch.

Messages are made in `home_assistant`; paho's own thread receives, the watch's thread tells.
"""

import queue
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from leak_assets.errors import InputError
from leak_assets.settings import Settings

from .home_assistant import (
    BIRTH_TOPIC,
    OFFLINE,
    ON,
    ONLINE,
    discovery,
    home_of_command,
    pause_command,
    states,
    status_topic,
)
from .live import LiveHome

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_PORT, _TLS_PORT, _KEEPALIVE_S = 1883, 8883, 30
_SAYS_BYE_S = 5.0


class HomeAssistant:
    """An `Audience`: homes as devices of Home Assistant.

    Parameters
    ----------
    url
        `mqtt://HOST[:PORT]` or `mqtts://…` of the broker that Home Assistant uses. A broker that
        is away is tried again and again.
    source
        Name of the stream; the process's last will is of it.
    titles
        Names for people, by home.
    settings
        Hold user and password.

    Raises
    ------
    InputError
        The URL is of no MQTT broker, or holds a password.
    """

    def __init__(self, url: str, source: str, titles: dict[str, str], settings: Settings) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or parts.username or parts.password:
            raise InputError(
                "Home Assistant is reached through an MQTT broker",
                remedy="Write mqtt://HOST or mqtts://HOST; set LEAK_ASSETS_SOURCE_USERNAME and"
                " LEAK_ASSETS_SOURCE_PASSWORD in the environment",
            )
        self._source, self._titles = source, titles
        self._commands: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()
        self._discovered: set[str] = set()
        self._said: dict[str, str] = {}
        self._client = self._new_client(parts.scheme == "mqtts", settings)
        port = parts.port or (_TLS_PORT if parts.scheme == "mqtts" else _PORT)
        self._client.connect_async(parts.hostname or "localhost", port, _KEEPALIVE_S)
        self._client.loop_start()

    def _new_client(self, is_tls: bool, settings: Settings) -> "Client":
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"leak-assets-{self._source}-entities"
        )
        client.will_set(status_topic(self._source), OFFLINE, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 30)
        if settings.source_username is not None:
            password = settings.source_password
            client.username_pw_set(
                settings.source_username, None if password is None else password.get_secret_value()
            )
        if is_tls:
            client.tls_set()
        return client

    def _on_connect(self, client: "Client", _data: Any, _flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            return
        client.subscribe([(BIRTH_TOPIC, 1), (pause_command("+"), 1)])
        client.publish(status_topic(self._source), ONLINE, qos=1, retain=True)
        self._say_all_again()

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        payload = message.payload.decode("utf-8", "replace").strip()
        if message.topic == BIRTH_TOPIC:
            if payload == ONLINE:
                # A Home Assistant that has just started knows nothing for certain.
                self._say_all_again()
            return
        home = home_of_command(message.topic)
        # A retained command would switch again with each connection.
        if home is not None and not message.retain and payload in ("ON", "OFF"):
            self._commands.put((home, payload == ON))

    def _say_all_again(self) -> None:
        self._discovered.clear()
        self._said.clear()

    def tell(self, live: LiveHome, now: datetime) -> None:
        """Publish what has changed of a home; its device first."""
        if not self._client.is_connected():
            return
        home = live.home.name
        if home not in self._discovered:
            topic, payload = discovery(home, self._titles.get(home, ""), self._source)
            self._discovered.add(home)
            self._client.publish(topic, payload, qos=1, retain=True)
        for topic, payload in states(live, now).items():
            if self._said.get(topic) != payload:
                self._said[topic] = payload
                self._client.publish(topic, payload, qos=1, retain=True)

    def asked(self) -> Sequence[tuple[str, bool]]:
        """Return homes whose pause was switched since the last call."""
        found = []
        while not self._commands.empty():
            found.append(self._commands.get())
        return found

    def close(self) -> None:
        """Say that nothing is told any more, and disconnect."""
        if self._client.is_connected():
            bye = self._client.publish(status_topic(self._source), OFFLINE, qos=1, retain=True)
            bye.wait_for_publish(_SAYS_BYE_S)
        self._client.disconnect()
        self._client.loop_stop()
