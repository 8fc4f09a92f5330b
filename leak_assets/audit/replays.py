"""Every incident replayed as it was, one after the other.

What a replay is stands in `replay`.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext

from .replay import replay_incident
from .trace import EVENTS


@dataclass(frozen=True)
class Replayed:
    """One of many incidents that were replayed as they were.

    Parameters
    ----------
    incident_id, revisions, rows
        Which one, and how much of it was compared.
    differences
        Values that differ.
    seconds
        How long it took.
    problem
        Why it could not be replayed; empty where it was.
    """

    incident_id: str
    is_identical: bool
    revisions: int = 0
    rows: int = 0
    differences: int = 0
    seconds: float = 0.0
    problem: str = ""

    def described(self) -> str:
        """Return it in a line."""
        said = "identical" if self.is_identical else self.problem or "different"
        return f"{self.incident_id}: {said}, {self.rows:,} rows, {self.seconds:.1f} s"


def replay_all(
    ctx: StepContext, network: str | None = None, *, until: date | None = None
) -> Iterator[Replayed]:
    """Replay every incident as it was, in order of their names.

    Parameters
    ----------
    network
        Only those of one network.
    until
        As of `replay_incident`; an incident that begins later is replayed on its own days.

    Raises
    ------
    InputError
        There is none.
    """
    found = ctx.warehouse.sql(
        f"SELECT DISTINCT incident_id FROM {EVENTS}"
        " WHERE coalesce(network = ?, true) ORDER BY incident_id",
        [network],
    )
    if found.is_empty():
        raise InputError(
            f"there is no incident{f' of {network}' if network else ''}",
            remedy="`leak-assets incidents list` names them",
        )
    for name in found["incident_id"]:
        started = time.perf_counter()
        try:
            result = replay_incident(ctx, name, until=until)
        except InputError as error:
            yield Replayed(name, is_identical=False, problem=str(error))
            continue
        yield Replayed(
            name,
            result.is_identical,
            result.revisions,
            sum(result.compared.values()),
            result.differences.height,
            round(time.perf_counter() - started, 2),
        )
