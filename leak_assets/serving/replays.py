"""Replays asked for through the API: in a process of their own, one at a time, kept while valid.

Detecting again takes seconds of a core; in this process it would hold up everybody else.
"""

import os
import threading
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.warehouse.schemas import TABLES

from .context import Serving

MOST_DIFFERENCES = 200
LONGEST_S = 300.0
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
class Replays:
    """The replays of one server."""

    serving: Serving
    _one: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ask(self, asked: Asked) -> dict[str, Any]:
        """Return what came of a replay.

        Raises
        ------
        BusyError
            Another runs.
        InputError
            The variant cannot be made.
        """
        return self.serving.store.keep(
            ("replay", asked), TABLES, lambda: self._run(asked), size=_SIZE
        )

    def _run(self, asked: Asked) -> dict[str, Any]:
        if not self._one.acquire(blocking=False):
            raise BusyError("another replay runs; ask again in a little while")
        # Spawned: a fork would copy the threads' locks as they stand.
        spawn = get_context("spawn")
        ours, theirs = spawn.Pipe(duplex=False)
        process = spawn.Process(
            target=_send_replay, args=(theirs, self.serving.settings, asked), daemon=True
        )
        try:
            process.start()
            theirs.close()
            if not ours.poll(LONGEST_S):
                raise BusyError(f"the replay was stopped after {LONGEST_S:.0f} s")
            found: dict[str, Any] | Exception = ours.recv()
        except EOFError as error:
            raise RuntimeError("the replay's process died") from error
        finally:
            process.kill()
            process.join()
            ours.close()
            self._one.release()
        if isinstance(found, Exception):
            raise found
        return found


def _send_replay(to: Connection, settings: Settings, asked: Asked) -> None:
    """Replay an incident and send what came of it; runs in a process of its own."""
    try:
        found: dict[str, Any] | Exception = _replayed(settings, asked)
    except InputError as error:
        found = error
    to.send(found)
    to.close()


def _replayed(settings: Settings, asked: Asked) -> dict[str, Any]:
    """Replay an incident, behind everything else on the machine."""
    os.nice(10)
    from leak_assets.audit.replay import replay_incident
    from leak_assets.audit.rescore import Variant
    from leak_assets.pipeline.context import StepContext

    variant = Variant(method=asked.method, model=asked.model, threshold=asked.threshold)
    found = replay_incident(
        StepContext.local(settings, command="replay"), asked.incident_id, variant=variant
    )
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
