"""A collector beside another loop of the same process: started, stopped, its error handed on.

What it collects is the collector's matter.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.locks import exclusive_or_none
from leak_assets.warehouse import Warehouse

from .collect import Collector
from .drivers import open_stream
from .stream_config import StreamConfig


@contextmanager
def collecting(
    config: StreamConfig,
    settings: Settings,
    warehouse: Warehouse,
    say: Callable[[str], None],
    ended: Callable[[], None],
) -> Iterator[Callable[[], str]]:
    """Collect a stream while the block runs.

    Yields what tells why the stream cannot be read, empty where it can.

    Parameters
    ----------
    ended
        Called when the collector ends by itself, so that the block may end.

    Raises
    ------
    InputError
        Another process collects the source; or what ended the collector, when the block is over.
    """
    with exclusive_or_none(settings.spool_dir / config.name / ".lock") as is_alone:
        if not is_alone:
            raise InputError(
                f"{config.name} is collected by another process already",
                remedy="Stop that one, or give this source another name",
            )
        collector = Collector(config, open_stream(config), settings, warehouse, say)
        errors: list[BaseException] = []

        def run() -> None:
            try:
                collector.run()
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)
                ended()

        thread = threading.Thread(target=run, name=f"collect {config.name}", daemon=True)
        thread.start()
        try:
            yield lambda: collector.lost
        finally:
            collector.stop()
            thread.join(60.0)
        if errors:
            raise errors[0]
