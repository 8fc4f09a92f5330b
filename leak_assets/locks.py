"""One step of a network at a time, across processes.

A step reads, computes and writes; two that did so at once for the same network could publish what
was made from older tables over what was made from newer ones. Dagster's limit of runs does not see
runs of the automation, backfills and the command line; the lock does.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from leak_assets.context import StepContext


@contextmanager
def network_lock(ctx: StepContext, network: str) -> Iterator[None]:
    """Hold the network's lock; the system frees it when the process dies.

    It is not reentrant: whoever holds it must not call what takes it.
    """
    folder = ctx.warehouse.root / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    # Merging raw readings has a lock of its own (`<network>.lock`), always taken inside this one.
    with (folder / f"{network}.steps.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
