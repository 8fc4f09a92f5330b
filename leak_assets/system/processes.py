"""Fan-out over processes, one item per task; what the machine has for it; single processes."""

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Beyond this the disk and memory of a laptop are the limit, not its cores.
MOST_WORKERS = 8
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")


def memory_bytes() -> int:
    """Return the memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def worker_count() -> int:
    """Return the number of processes to use: the cores this process may run on."""
    # macOS does not tell which cores a process may run on.
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, MOST_WORKERS)


def command_of(pid: int) -> list[str]:
    """Return the command line of a process; nothing where it has ended or is another user's."""
    if Path("/proc/self/cmdline").exists():
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return []
        return line.decode("utf-8", "replace").rstrip("\0").split("\0")
    # macOS has no /proc.
    found = subprocess.run(  # noqa: S603 - a number is its only variable part
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def end_process(pid: int) -> bool:
    """Ask a process to end; False where there is none."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


def fan_out(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int | None = None
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with `function(item)` as they are done, computed in several processes.

    `function` and the items must be picklable. One worker, or one item, stays in this process.
    An error of `function` ends the whole: items under way are finished, no further one is begun.

    Raises
    ------
    RuntimeError
        After all other items were yielded, if the process of an item was killed. Names the
        items that were lost; a repeated run does them.
    """
    workers = min(workers or worker_count(), len(items))
    if workers <= 1:
        for item in items:
            yield item, function(item)
        return
    left = list(reversed(items))
    lost: list[Item] = []
    slots = [_Slot(function) for _ in range(workers)]
    with _one_thread_each():
        try:
            running = {slot.start(left.pop()): slot for slot in slots}
            while running:
                for task in wait(running, return_when=FIRST_COMPLETED).done:
                    slot = running.pop(task)
                    item, error = slot.item, task.exception()
                    if isinstance(error, BrokenProcessPool):
                        lost.append(item)
                    elif error is not None:
                        raise error
                    if left:
                        running[slot.start(left.pop())] = slot
                    if error is None:
                        yield item, task.result()
        finally:
            for slot in slots:
                slot.close()
    if lost:
        raise RuntimeError(
            "a worker process was killed (out of memory?); not done:"
            f" {', '.join(str(item) for item in lost)}. Run again: what is done is kept"
        )


def share_out(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int
) -> Iterator[Result]:
    """Yield `function(item)` of many short items, in their order; this process does its share.

    The items are drawn one by one, as there is somebody to do them, and this process works while
    the others start. `function` and the items must be picklable.

    Raises
    ------
    RuntimeError
        A process was killed.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    done: list[Result | Future[Result]] = []
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers - 1, mp_context=context)
    try:
        with _one_thread_each():
            for item in items:
                waiting = sum(isinstance(one, Future) and not one.done() for one in done)
                # One more than each is at: none waits while this process is at one of its own.
                if waiting < 2 * (workers - 1):
                    done.append(pool.submit(function, item))
                else:
                    done.append(function(item))
            for one in done:
                yield one.result() if isinstance(one, Future) else one
    except BrokenProcessPool as error:
        message = "a worker process was killed (out of memory?); try fewer workers"
        raise RuntimeError(message) from error
    finally:
        pool.shutdown(cancel_futures=True)


class _Slot(Generic[Item, Result]):
    """A process and the item it works on.

    Each process is a pool of its own: a killed process breaks its pool, and with it every item
    that the pool has under way.
    """

    item: Item

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._function = function
        self._pool = _pool()

    def start(self, item: Item) -> Future[Result]:
        """Begin an item, in a new process where the last one was killed."""
        self.item = item
        try:
            return self._pool.submit(self._function, item)
        except BrokenProcessPool:
            self._pool = _pool()
            return self._pool.submit(self._function, item)

    def close(self) -> None:
        """End the process once it has finished its item."""
        self._pool.shutdown()


def _pool() -> ProcessPoolExecutor:
    # Spawned, not forked: polars' and DuckDB's threads do not survive a fork.
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


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
