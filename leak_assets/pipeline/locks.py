"""One step of a site at a time.

A step reads, computes and writes; two that did so at once for the same site could publish what
was made from older tables over what was made from newer ones. Dagster's limit of runs does not see
runs of the automation, backfills and the command line; the lock does.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from leak_assets.system.locks import locks

from .context import StepContext


@contextmanager
def network_lock(ctx: StepContext, network: str, name: str = "steps") -> Iterator[None]:
    """Hold a lock of a network: that of its days' steps, or one by its name."""
    # Merging raw readings has a lock of its own (`<network>.lock`), always taken inside this one.
    with locks(ctx.settings).hold(f"{network}.{name}"):
        yield
