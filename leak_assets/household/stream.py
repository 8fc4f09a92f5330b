"""The stream of homes: topics `tracker_state_<home>` and `engine_updated_<home>`, and their fields.

What a source says in a file of its own stands above it; receiving is the matter of `telemetry`.
"""

from collections.abc import Sequence
from typing import Any

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites.site import Site
from leak_assets.telemetry.sources.stream_config import StreamConfig, Value, load_stream

from .home import Home, home_of

TRACKER, UPDATED = "tracker_state_", "engine_updated_"
# The loop of a live alarm: a batch is on disk and judged so long after its first message.
_BATCH_S = 0.2


def home_stream(source: str, homes: Sequence[Site], settings: Settings) -> StreamConfig:
    """Return the stream of homes from a YAML file, or from the URL of a broker alone.

    Parameters
    ----------
    source
        Path of a file as for `collect`, or `mqtt://HOST`, `redis://HOST`, `redis+pubsub://HOST`.
    homes
        Those whose topics are heard.

    Raises
    ------
    InputError
        It cannot be used, or homes differ in what one source says for all.
    """
    if "://" not in source:
        return load_stream(source, settings)
    is_mqtt = source.startswith("mqtt")
    # A filter of MQTT has no wildcard within a level.
    names = [home.name for home in homes] if is_mqtt else ["*"]
    topics = [f"{word}{name}" for word in (TRACKER, UPDATED) for name in names]
    separator = "&" if "?" in source else "?"
    url = f"{source}{separator}topics={','.join(topics)}"
    config = load_stream(url, settings)
    return config.model_copy(
        update={
            "topic": TRACKER + "{site}",
            "values": _values([home_of(home) for home in homes]),
            "batch_s": min(config.batch_s, _BATCH_S),
        }
    )


def updated_home(topic: str) -> str | None:
    """Return the home that a topic says has new habits, None where it says something else."""
    last = topic.rsplit("/", 1)[-1]
    return last.removeprefix(UPDATED) if last.startswith(UPDATED) else None


def _values(homes: Sequence[Home]) -> dict[str, Value]:
    """Return the fields of a tracker's message: flow or volume, hot, people, occupancy."""
    said = [_values_of(home) for home in homes]
    for home, values in zip(homes, said, strict=True):
        if values != said[0]:
            raise InputError(
                f"{home.name} calls its sensors or words otherwise than {homes[0].name}",
                remedy="Watch it with a source of its own (`--home`), or name the sensors alike",
            )
    return said[0] if said else {}


def _values_of(home: Home) -> dict[str, Value]:
    unit = "L/min" if home.measured == "flow" else "L"
    found: dict[str, Value] = {
        home.measured: Value(quantity=home.measured, unit=unit, sensor=home.main)
    }
    others: dict[str, Any] = {
        "hot": ("flow", "L/min", home.hot),
        "people": ("people", "1", home.people),
        "occupancy": ("occupancy", "1", home.occupancy),
    }
    for name, (quantity, unit, sensor) in others.items():
        if sensor:
            words = home.occupancy_words if name == "occupancy" else ()
            found[name] = Value(quantity=quantity, unit=unit, sensor=sensor, words=words)
    return found
