"""Which class reads a stream: by the scheme of its URL, an entry point, or a name in its YAML.

A driver of another package registers under the group `leak_assets.sources` with the scheme of its
URLs as name: `opcua = "my_package:OpcUaStream"`. It is a class made from a `StreamConfig`.
"""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from leak_assets.errors import InputError

from .stream import Stream
from .stream_config import StreamConfig

GROUP = "leak_assets.sources"
_OWN = {
    "redis": f"{__package__}.redis_stream:RedisStream",
    "rediss": f"{__package__}.redis_stream:RedisStream",
    "redis+pubsub": f"{__package__}.redis_stream:RedisChannels",
    "rediss+pubsub": f"{__package__}.redis_stream:RedisChannels",
    "mqtt": f"{__package__}.mqtt_stream:MqttStream",
    "mqtts": f"{__package__}.mqtt_stream:MqttStream",
}


def open_stream(config: StreamConfig) -> Stream:
    """Return the stream of a configuration; it connects when it is read first.

    Raises
    ------
    InputError
        There is no driver for the URL, or it cannot be imported, or an option is none of its.
    """
    installed = {point.name: point.value for point in entry_points(group=GROUP)}
    place = config.driver or installed.get(config.scheme) or _OWN.get(config.scheme)
    if place is None:
        raise InputError(
            f"{config.name}: no driver for `{config.scheme}://`",
            remedy=f"Use one of {', '.join(sorted({*_OWN, *installed}))}, or name a class as"
            " `driver: package.module:Class`",
        )
    stream: Stream = _load(place)(config)
    return stream


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"driver `{place}` cannot be imported ({error})",
            remedy="Write it as package.module:Class, and install its package",
        ) from error
