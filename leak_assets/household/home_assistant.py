"""What Home Assistant reads of a home: MQTT discovery, states and attributes. Pure.

Discovery by device as https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
says: one retained message names all entities, each with `unique_id` and `default_entity_id`.
"""

import json
from datetime import datetime
from typing import Any

from leak_assets import __version__

from .engine import attributes
from .live import LiveHome

# Home Assistant's defaults: prefix of discovery, and its own birth and last will.
DISCOVERY_PREFIX, BIRTH_TOPIC, ONLINE, OFFLINE = (
    "homeassistant",
    "homeassistant/status",
    "online",
    "offline",
)
ROOT = "leak-assets"
ON, OFF = "ON", "OFF"


def status_topic(source: str) -> str:
    """Return where a process says whether it lives, for the homes of one source."""
    return f"{ROOT}/{source}/status"


def pause_command(home: str) -> str:
    """Return the topic on which the pause of a home is switched; `+` stands for any home."""
    return f"{ROOT}/home/{home}/pause/set"


def home_of_command(topic: str) -> str | None:
    """Return the home whose pause a topic switches."""
    parts = topic.split("/")
    return parts[2] if topic == pause_command(parts[2] if len(parts) > 2 else "") else None


def discovery(home: str, title: str, source: str) -> tuple[str, str]:
    """Return topic and payload of the message that names a home's device and entities."""
    slug = entity_slug(home)
    payload = {
        "device": {
            "identifiers": [f"leak_assets_{slug}"],
            "name": title or home,
            "manufacturer": "leak-assets",
            "model": "Household leak monitor",
            "sw_version": __version__,
        },
        "origin": {"name": "leak-assets", "sw_version": __version__},
        "availability_topic": status_topic(source),
        "qos": 1,
        "components": {
            name: {
                **said,
                "unique_id": f"leak_assets_{slug}_{name}",
                "default_entity_id": f"{said['platform']}.{slug}_{name}",
                "state_topic": _topic(home, name),
            }
            for name, said in _entities(home).items()
        },
    }
    return f"{DISCOVERY_PREFIX}/device/leak_assets_{slug}/config", json.dumps(payload)


def _entities(home: str) -> dict[str, dict[str, Any]]:
    return {
        "intelligent_leak": {
            "platform": "binary_sensor",
            "name": "Intelligent leak",
            "device_class": "moisture",
            "json_attributes_topic": f"{_topic(home, 'intelligent_leak')}/attributes",
        },
        "engine_status": {
            "platform": "binary_sensor",
            "name": "Engine status",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "json_attributes_topic": f"{_topic(home, 'engine_status')}/attributes",
        },
        "flow": {
            "platform": "sensor",
            "name": "Flow",
            "device_class": "volume_flow_rate",
            "state_class": "measurement",
            "unit_of_measurement": "L/min",
            "suggested_display_precision": 1,
        },
        "volume_today": {
            "platform": "sensor",
            "name": "Volume today",
            "device_class": "water",
            "state_class": "total_increasing",
            "unit_of_measurement": "L",
            "suggested_display_precision": 0,
        },
        "risk": {
            "platform": "sensor",
            "name": "Risk",
            "state_class": "measurement",
            "icon": "mdi:gauge",
            "suggested_display_precision": 2,
        },
        "pause": {
            "platform": "switch",
            "name": "Pause",
            "icon": "mdi:pause-circle",
            "command_topic": pause_command(home),
        },
    }


def states(live: LiveHome, now: datetime) -> dict[str, str]:
    """Return the retained messages that say how a home is: topic to payload."""
    home, now_s = live.home.name, now.timestamp()
    status = live.status(now_s)
    state, settings = live.state, live.home.settings
    paused_until_s = live.paused_until_s(now_s)
    engine = {
        "status": status,
        "last_measured_at": _time(state.last_s),
        "learned_for": None if live.learned.day is None else live.learned.day.isoformat(),
        "days_learned": live.learned.days,
        "ready_buckets": live.learned.ready_buckets(settings),
        "prototypes": live.learned.sure_prototypes(settings),
        "paused_until": _time(paused_until_s),
    }
    leak = _topic(home, "intelligent_leak")
    return {
        leak: ON if state.is_on else OFF,
        f"{leak}/attributes": json.dumps(attributes(state, live.judgement)),
        # A problem is what people should look at: no readings. Learning and pauses are none.
        _topic(home, "engine_status"): ON if status == "stale" else OFF,
        f"{_topic(home, 'engine_status')}/attributes": json.dumps(engine),
        _topic(home, "flow"): f"{live.flow_now_l_per_min:.2f}",
        _topic(home, "volume_today"): f"{live.volume_today_l:.1f}",
        _topic(home, "risk"): f"{live.judgement.risk:.3f}",
        _topic(home, "pause"): ON if paused_until_s else OFF,
    }


def entity_slug(home: str) -> str:
    """Return a home's name as entity identifiers have it."""
    return home.replace("-", "_")


def _topic(home: str, name: str) -> str:
    return f"{ROOT}/home/{home}/{name}"


def _time(at_s: float | None) -> str | None:
    from .history import utc

    return None if at_s is None else utc(at_s).isoformat()
