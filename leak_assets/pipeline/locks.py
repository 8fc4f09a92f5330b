"""Locks between processes, which the system frees when their holder dies.

One step of a network at a time: a step reads, computes and writes; two that did so at once for the
same network could publish what was made from older tables over what was made from newer ones.
Dagster's limit of runs does not see runs of the automation, backfills and the command line; the
lock does.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .context import StepContext


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, made where it does not exist; wait while another holds it.

    It is not reentrant: whoever holds it must not call what takes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def network_lock(ctx: StepContext, network: str) -> Iterator[None]:
    """Hold the lock of a network's steps."""
    # Merging raw readings has a lock of its own (`<network>.lock`), always taken inside this one.
    with exclusive(ctx.warehouse.root / ".locks" / f"{network}.steps.lock"):
        yield
