"""Replays asked for through the API: in a process of their own, one at a time, kept while valid.

Detecting again takes seconds to minutes of a core; in this process it would hold up everybody
else. Who asks waits a while, and is then told how far it is. What a replay is, is `audit.replay`'s.
"""

import asyncio
import os
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from leak_assets.settings import Settings
from leak_assets.warehouse.schemas import TABLES

from .context import Serving
from .replies import STORE_FAILURES

MOST_DIFFERENCES = 200
LONGEST_S = 900.0
PATIENCE_S = 20.0
"""So long an answer waits for its replay; most are done by then, and clients wait for 30 s."""
FETCHED_WITHIN_S = 600.0
"""So long the result of one who was told to ask again stands for him, whatever is published."""
_LOOK_S = 0.05
_SIZE = 2**20


class BusyError(RuntimeError):
    """Another replay runs."""


@dataclass(frozen=True)
class Asked:
    """What is replayed, and how: the incident, method, model and threshold."""

    incident_id: str
    method: str
    model: str | None
    threshold: float | None


@dataclass
class _Run:
    """A replay on its way, or done."""

    asked: Asked
    begun_at: float = field(default_factory=time.monotonic)
    progress: str = "begins"
    found: "Future[dict[str, Any]]" = field(default_factory=Future)
    ended_at: float | None = None
    is_awaited: bool = False


@dataclass
class Replays:
    """The replays of one server."""

    serving: Serving
    patience_s: float = PATIENCE_S
    _last: _Run | None = field(default=None, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    async def ask(self, asked: Asked) -> tuple[dict[str, Any], bool]:
        """Return what came of a replay and True, or how far it is and False.

        Raises
        ------
        BusyError
            Another runs.
        InputError
            The variant cannot be made.
        """
        run = self._run_of(asked)
        until = time.monotonic() + self.patience_s
        while not run.found.done() and time.monotonic() < until:
            await asyncio.sleep(_LOOK_S)
        if run.found.done():
            run.is_awaited = False
            return run.found.result(), True
        run.is_awaited = True
        return {
            "incident_id": asked.incident_id,
            "status": "running",
            "running_s": round(time.monotonic() - run.begun_at, 1),
            "progress": run.progress,
        }, False

    def _run_of(self, asked: Asked) -> _Run:
        with self._guard:
            last = self._last
            if last is not None and not last.found.done():
                if last.asked == asked:
                    return last
                raise BusyError("another replay runs; ask again in a little while")
            if last is not None and last.asked == asked and last.is_awaited:
                ended = last.ended_at or time.monotonic()
                if time.monotonic() - ended <= FETCHED_WITHIN_S:
                    return last
            run = self._last = _Run(asked)
            # A daemon: a server that ends does not wait for it.
            threading.Thread(target=self._make, args=(run,), daemon=True).start()
            return run

    def _make(self, run: _Run) -> None:
        try:
            found = self.serving.store.keep(
                ("replay", run.asked),
                TABLES,
                lambda: _in_its_own_process(self.serving.settings, run),
                size=_SIZE,
            )
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            run.ended_at = time.monotonic()
            run.found.set_exception(error)
        else:
            run.ended_at = time.monotonic()
            run.found.set_result(found)


def _in_its_own_process(settings: Settings, run: _Run) -> dict[str, Any]:
    # Spawned: a fork would copy the threads' locks as they stand.
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_send_replay, args=(theirs, settings, run.asked), daemon=True)
    until = time.monotonic() + LONGEST_S
    try:
        process.start()
        theirs.close()
        while True:
            if not ours.poll(max(until - time.monotonic(), 0.0)):
                raise BusyError(f"the replay was stopped after {LONGEST_S:.0f} s")
            found: str | dict[str, Any] | Exception = ours.recv()
            if not isinstance(found, str):
                break
            run.progress = found
    except EOFError as error:
        raise RuntimeError("the replay's process died") from error
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(found, Exception):
        raise found
    return found


def _send_replay(to: Connection, settings: Settings, asked: Asked) -> None:
    """Replay an incident and send how far it is and what came of it, from an own process."""
    try:
        found: dict[str, Any] | Exception = _replayed(settings, asked, to)
    except STORE_FAILURES as error:
        found = error
    to.send(found)
    to.close()


def _replayed(settings: Settings, asked: Asked, to: Connection) -> dict[str, Any]:
    """Replay an incident, behind everything else on the machine."""
    os.nice(10)
    from leak_assets.audit.replay import replay_incident
    from leak_assets.audit.rescore import Variant
    from leak_assets.pipeline.context import StepContext

    variant = Variant(method=asked.method, model=asked.model, threshold=asked.threshold)
    ctx = StepContext.local(settings, command="replay", progress=to.send)
    found = replay_incident(ctx, asked.incident_id, variant=variant)
    return {
        "incident_id": found.incident_id,
        "variant": found.variant.described(),
        "first_day": found.first_day,
        "last_day": found.last_day,
        "revisions": found.revisions,
        "all_revisions": found.all_revisions,
        "identical": found.is_identical,
        "compared_rows": dict(found.compared),
        "differing_values": found.differences.height,
        "differences": found.differences.head(MOST_DIFFERENCES).to_dicts(),
        "raised": found.raised.to_dicts(),
        "notes": list(found.notes),
    }
