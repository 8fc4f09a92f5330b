"""What every stream must hold, as a check that authors of drivers can run in their own tests.

Give it a way to open the stream and one to publish to it; the stream must be empty at first. The
like for sources is `source_contract`.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from leak_assets.telemetry.readers.messages import Message

from .stream import Stream

_NUMBER = 50


def violations(
    open_stream: Callable[[], Stream],
    publish: Callable[[Sequence[bytes]], None],
    *,
    patience_s: float = 10.0,
) -> list[str]:
    """Return a line for each promise of `Stream` that a driver does not keep; empty if none.

    Parameters
    ----------
    open_stream
        Opens the stream anew, as after a restart of the process.
    publish
        Sends messages to it; the payloads are different JSON objects.
    patience_s
        How long messages may take to arrive.
    """
    return list(_violations(open_stream, publish, patience_s))


def _violations(
    open_stream: Callable[[], Stream],
    publish: Callable[[Sequence[bytes]], None],
    patience_s: float,
) -> Iterator[str]:
    stream = open_stream()
    if early := stream.receive(10, 0.5):
        yield f"{len(early)} messages before any was published; the check needs an empty stream"
        return
    payloads = [f'{{"number": {number}}}'.encode() for number in range(_NUMBER)]
    publish(payloads)
    began = time.monotonic()
    if held := stream.receive(0, 0.2):
        yield f"{len(held)} messages where none was asked for"
    if time.monotonic() < began + 0.1:
        yield "asked for none, it does not wait: the collector would turn in circles"
    first = _receive(stream, _NUMBER, patience_s)
    if sorted(m.payload for m in first) != sorted(payloads):
        yield f"of {_NUMBER} messages {len(first)} came"
        return
    if len({m.name for m in first}) != _NUMBER:
        yield "two messages have one name (topic and identity)"
    if not stream.replays:
        stream.acknowledge(first)
        stream.close()
        return
    # As a process that died before it had acknowledged everything.
    stream.acknowledge(first[:10])
    stream.acknowledge(first[:10])
    stream.close()
    stream = open_stream()
    again = {m.name: m.payload for m in _receive(stream, _NUMBER - 10, patience_s)}
    lost = [m.name for m in first[10:] if again.get(m.name) != m.payload]
    if lost:
        yield f"{len(lost)} messages that were not acknowledged do not come again as they were"
    if done := [m.name for m in first[:10] if m.name in again]:
        yield f"{len(done)} messages that were acknowledged come again"
    stream.close()
    stream = open_stream()
    last = _receive(stream, _NUMBER - 10, patience_s)
    stream.acknowledge(last)
    stream.close()
    stream = open_stream()
    if left := stream.receive(10, 1.0):
        yield f"{len(left)} messages come again after all were acknowledged"
    stream.close()


def _receive(stream: Stream, most: int, patience_s: float) -> list[Message]:
    found: list[Message] = []
    deadline = time.monotonic() + patience_s
    while len(found) < most and time.monotonic() < deadline:
        found += stream.receive(most - len(found), 0.2)
    return found
