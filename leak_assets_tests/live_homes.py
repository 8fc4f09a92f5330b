"""Homes on a stream for tests: a registered home, its messages, a reader as Home Assistant is."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

# No habits yet: what alarms are the rules and, on vacation, any longer use.
HOME = """
name: {name}
kind: household
title: "{title}"
timezone: Europe/Berlin
cadence_s: 60
sensors:
  - {{quantity: flow, unit: L/min, ids: [main, hot]}}
  - {{quantity: people, ids: [people]}}
  - {{quantity: occupancy, ids: [occupancy]}}
details:
  settings: {{learning_days: 0, stale_s: {stale_s}}}
"""


def registered_home(
    folder: Path, settings: Settings, name: str, *, title: str = "", stale_s: float = 900
) -> str:
    """Register a home that is ready to alarm at once; return its name."""
    path = folder / f"{name}.yaml"
    path.write_text(HOME.format(name=name, title=title, stale_s=stale_s))
    register_site(path, settings)
    return name


def tracked(at: datetime, flow: float, **more: object) -> bytes:
    """Return a message of a tracker."""
    return json.dumps({"ts": at.isoformat(), "flow": flow, **more}).encode()


def minutes(until: datetime, count: int, flow: float, **more: object) -> list[bytes]:
    """Return a message a minute, the last at `until`."""
    return [
        tracked(until - timedelta(minutes=back), flow, **more) for back in range(count - 1, -1, -1)
    ]


def raw_readings(
    home: str, rows: list[tuple[datetime, str, str, float]], received_at: datetime
) -> pl.DataFrame:
    """Return raw readings: time, sensor, quantity, value in the unit of the layout."""
    units = {"flow": "L/min", "people": "1", "occupancy": "1"}
    return pl.DataFrame(
        [
            (home, sensor, quantity, at, received_at, "test", f"{n}", n, str(value), value,
             units[quantity])
            for n, (at, sensor, quantity, value) in enumerate(rows)
        ],
        schema=RAW_READINGS.polars_schema,
        orient="row",
    )  # fmt: skip


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Return what a condition gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise TimeoutError


@dataclass
class HomeAssistantReader:
    """Reads discovery and states as Home Assistant would; forgets nothing that is retained."""

    port: int
    configs: dict[str, Any] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)
    _ready: threading.Event = field(default_factory=threading.Event)
    _client: Any = None

    def entity(self, entity_id: str) -> dict[str, Any]:
        """Return the configuration of an entity, shared options included; {} where none is."""
        for config in self.configs.values():
            shared = {k: v for k, v in config.items() if k not in ("components", "device")}
            for component in config["components"].values():
                if component["default_entity_id"] == entity_id:
                    return {**shared, **component}
        return {}

    def state(self, entity_id: str) -> str | None:
        """Return the state of an entity: None where unknown, `unavailable` where nobody tells."""
        entity = self.entity(entity_id)
        if not entity:
            return None
        if self.newest(entity["availability_topic"]) != "online":
            return "unavailable"
        return self.newest(entity["state_topic"])

    def attributes(self, entity_id: str) -> dict[str, Any]:
        """Return the attributes of an entity."""
        found: dict[str, Any] = json.loads(
            self.newest(self.entity(entity_id)["json_attributes_topic"]) or "{}"
        )
        return found

    def newest(self, topic: str) -> str | None:
        """Return the last message of a topic."""
        return self.said.get(topic, [None])[-1]

    def switch(self, entity_id: str, payload: str) -> None:
        """Send a command, as the switch in the interface does."""
        self._client.publish(self.entity(entity_id)["command_topic"], payload, qos=1)

    def publish(self, topic: str, payload: bytes | str) -> None:
        """Publish anything."""
        self._client.publish(topic, payload, qos=1)

    def _on_message(self, client: Any, _data: Any, message: Any) -> None:
        text = message.payload.decode()
        self.said.setdefault(message.topic, []).append(text)
        if message.topic.startswith("homeassistant/device/"):
            self.configs[message.topic] = json.loads(text)
            # Only topics that discovery names are read.
            for component in self.configs[message.topic]["components"].values():
                for key in ("state_topic", "json_attributes_topic"):
                    if key in component:
                        client.subscribe(component[key], qos=1)
            client.subscribe(self.configs[message.topic]["availability_topic"], qos=1)


@contextmanager
def home_assistant_reader(port: int) -> Iterator[HomeAssistantReader]:
    """Connect a reader to a broker."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    reader = HomeAssistantReader(port)
    client = Client(CallbackAPIVersion.VERSION2, client_id="home-assistant")
    client.on_connect = lambda c, *_: c.subscribe("homeassistant/device/+/config", qos=1)
    client.on_message = reader._on_message
    reader._client = client
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield reader
    finally:
        client.disconnect()
        client.loop_stop()
