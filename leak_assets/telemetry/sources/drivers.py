"""Which class reads a stream: by the scheme of its URL, an entry point, or a name in its YAML.

A driver of another package registers under the group `leak_assets.sources` with the scheme of its
URLs as name: `opcua = "my_package:OpcUaStream"`. It is a class made from a `StreamConfig`.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from leak_assets.errors import InputError
from leak_assets.telemetry.readers.messages import Message

from .stream import Stream, StreamLostError
from .stream_config import StreamConfig

_LOG = logging.getLogger(__name__)
Found = TypeVar("Found")
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
        There is no driver for the URL, or it cannot be imported, or an option is none of its, or it
        fails.
    """
    installed = {point.name: point.value for point in entry_points(group=GROUP)}
    place = config.driver or installed.get(config.scheme) or _OWN.get(config.scheme)
    if place is None:
        raise InputError(
            f"{config.name}: no driver for `{config.scheme}://`",
            remedy=f"Use one of {', '.join(sorted({*_OWN, *installed}))}, or name a class as"
            " `driver: package.module:Class`",
        )
    if place in _OWN.values():
        own: Stream = _load(place)(config)
        return own
    return _Foreign(place, config)


class _Foreign:
    """A driver of another package: an error of its own ends a collector with its name and place."""

    def __init__(self, place: str, config: StreamConfig) -> None:
        self._place = place
        driver = _load(place)
        self._stream: Stream = self._asked("made", lambda: driver(config))
        self.replays = bool(self._asked("asked for `replays`", lambda: self._stream.replays))

    def receive(self, most: int, timeout_s: float) -> Sequence[Message]:
        return self._asked("receiving", lambda: self._stream.receive(most, timeout_s))

    def acknowledge(self, messages: Sequence[Message]) -> None:
        self._asked("acknowledging", lambda: self._stream.acknowledge(messages))

    def close(self) -> None:
        self._asked("closed", self._stream.close)

    def _asked(self, doing: str, ask: Callable[[], Found]) -> Found:
        try:
            return ask()
        except (InputError, StreamLostError):
            raise
        except Exception as error:
            _LOG.debug("driver %s failed while %s", self._place, doing, exc_info=True)
            last = traceback.extract_tb(error.__traceback__)[-1]
            said = f": {error}" if str(error) else ""
            raise InputError(
                f"driver `{self._place}` failed while {doing}: {type(error).__name__}{said}"
                f" ({Path(last.filename).name}, line {last.lineno})",
                remedy="Mend the driver, or have it raise StreamLostError where trying again helps;"
                " what was not acknowledged comes again",
            ) from error


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"driver `{place}` cannot be imported ({error})",
            remedy="Write it as package.module:Class, and install its package",
        ) from error
