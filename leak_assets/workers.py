"""Fan-out over processes: one item per task, each task publishes its own partition."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Beyond this the disk and memory of a laptop are the limit, not its cores.
MOST_WORKERS = 8
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")


def worker_count() -> int:
    """Return the number of processes to use: the cores this process may run on."""
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def fan_out(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int | None = None
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with `function(item)` as they are done, computed in several processes.

    `function` and the items must be picklable. One worker, or one item, stays in this process.

    Raises
    ------
    RuntimeError
        If a process was killed; items that were done before are published, a repeated run does
        the rest.
    """
    workers = min(workers or worker_count(), len(items))
    if workers <= 1:
        for item in items:
            yield item, function(item)
        return
    # Spawned, not forked: polars' and DuckDB's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), ProcessPoolExecutor(workers, mp_context=context) as pool:
        tasks = {pool.submit(function, item): item for item in items}
        try:
            for task in as_completed(tasks):
                yield tasks[task], task.result()
        except BrokenProcessPool as error:
            left = [str(tasks[task]) for task in tasks if not task.done() or task.exception()]
            raise RuntimeError(
                f"a worker process was killed (out of memory?); not done: {', '.join(left)}."
                " Run again: what is done is kept"
            ) from error
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes started meanwhile use one thread each: together they fill the machine.

    Libraries read these variables when they are imported, which is before any initializer runs.
    """
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
