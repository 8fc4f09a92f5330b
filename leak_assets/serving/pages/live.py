"""Server-sent events: a word whenever a page's tables have changed. Nothing is kept between them.

The browser then asks for its page again; what has changed in it is the script's business.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from hashlib import blake2b

from fastapi import Request

from leak_assets.warehouse import Warehouse

LOOK_EVERY_S = 1.0
_SAY_SOMETHING_EVERY = 15
# A browser comes back by itself; none holds a connection for ever.
_LONGEST_LOOKS = 1800


async def changes(
    warehouse: Warehouse,
    tables: Sequence[str],
    request: Request,
    seen: str,
    is_over: Callable[[], bool] = lambda: False,
) -> AsyncIterator[str]:
    """Yield an event whenever some tables have another version than was seen last.

    The name of a version follows from the warehouse alone: whoever comes back with the last one,
    at this instance or another, misses nothing.

    Parameters
    ----------
    seen
        Version that the browser's page shows.
    is_over
        Whether the server is to end: it waits for nobody who listens.
    """
    seen = request.headers.get("last-event-id", seen)
    yield "retry: 3000\n\n"
    for look in range(_LONGEST_LOOKS):
        now = version_of(warehouse, tables)
        if now != seen:
            yield f"id: {now}\nevent: changed\ndata: {now}\n\n"
            seen = now
        elif look % _SAY_SOMETHING_EVERY == 0:
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_EVERY_S)
        if is_over() or await request.is_disconnected():
            return


def version_of(warehouse: Warehouse, tables: Sequence[str]) -> str:
    """Return what changes when a partition of one of some tables is published or removed.

    Publishing renames a file into its table's folder, which stamps the folder.
    """
    found = blake2b(digest_size=8)
    for table in tables:
        schema, _, name = table.partition(".")
        try:
            stamp = (warehouse.lake / schema / name).stat().st_mtime_ns
        except FileNotFoundError:
            stamp = 0
        found.update(stamp.to_bytes(8, "little"))
    return found.hexdigest()
