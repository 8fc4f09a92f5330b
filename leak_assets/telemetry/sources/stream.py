"""What a stream of messages is: three methods, whatever broker or driver stands behind them.

A driver is a class that is made from a `StreamConfig`. How messages become durable batches is the
matter of `collect`; what they mean that of `readers.messages`. `stream_contract` tests a driver.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from leak_assets.telemetry.readers.messages import MOST_BYTES, Message
from leak_assets.telemetry.readers.problems import RAW_TEXT_LIMIT


class StreamLostError(Exception):
    """The broker cannot be reached or refuses for now; the message says which and why."""


class Stream(Protocol):
    """Messages of one broker.

    A message that was handed out and not acknowledged is handed out again after the process has
    died, with the same `topic`, `identity` and payload; a stream that cannot promise that says so
    (`replays`).
    """

    replays: bool

    def receive(self, most: int, timeout_s: float) -> Sequence[Message]:
        """Return up to about `most` messages, none where nothing came within `timeout_s` seconds.

        Connects where there is no connection. With `most` 0 the connection is kept alive and
        nothing is taken from the broker; a bounded number that it had sent already may be held.

        Raises
        ------
        StreamLostError
            The broker is gone; the next call tries again.
        InputError
            What only the user can mend, for example a password.
        """

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that messages are durable here; those of a lost connection come again.

        Raises
        ------
        StreamLostError
            The broker is gone; what was not acknowledged comes again.
        """

    def close(self) -> None:
        """End the connection; what was not acknowledged waits at the broker."""


def content_id(topic: str, payload: bytes) -> str:
    """Return what is the same for a message that comes again: a hash of topic and payload.

    The payload holds the device's clock, so that no other message has the same.
    """
    whole = topic.encode("utf-8", "backslashreplace") + b"\0" + payload
    return hashlib.sha256(whole).hexdigest()[:32]


def cut(topic: str, identity: str, payload: bytes, token: Any = None) -> Message:
    """Return a message; of one that is too large only the beginning, so that memory stays flat."""
    size = len(payload)
    kept = payload if size <= MOST_BYTES else payload[:RAW_TEXT_LIMIT]
    return Message(topic, identity, kept, token, size)
