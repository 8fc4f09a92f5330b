"""Which waiting deliveries are taken together, in which runs, and how often it was tried.

Where deliveries come from is the matter of the sources; nothing is written here.
"""

import hashlib
import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from .source import Delivery

# A delivery that waits after so many runs waits until it changes: its cause is not going to pass.
MOST_ATTEMPTS = 3
# After a stop of weeks there may be thousands: a run that takes them all would never end.
MOST_DELIVERIES = 500


@dataclass(frozen=True)
class IntakeRun:
    """Deliveries of one network whose days touch: the work of one run."""

    network: str
    days: tuple[date, ...]
    deliveries: tuple[Delivery, ...]
    attempt: int

    @property
    def key(self) -> str:
        """The same for the same deliveries and attempt, so that no run is asked for twice."""
        names = json.dumps([_identity(delivery) for delivery in self.deliveries])
        digest = hashlib.sha256(names.encode()).hexdigest()
        return f"{self.network}:{self.days[0]}:{digest[:12]}:{self.attempt}"


@dataclass
class Attempts:
    """How many runs were asked for each delivery that still waits.

    That a delivery was taken is a row of the ledger; what waits after its run has failed, or was
    not taken by it.
    """

    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str | None) -> "Attempts":
        """Read what `to_json` wrote; anything else is no attempt."""
        fields = json.loads(text) if text else {}
        return cls(dict(fields.get("attempts", {})))

    def to_json(self) -> str:
        """Serialize for the sensor's cursor."""
        return json.dumps({"attempts": self.counts}, sort_keys=True)

    def of(self, delivery: Delivery) -> int:
        """Return how many runs were asked for a delivery."""
        return self.counts.get(_identity(delivery), 0)

    def count(self, run: IntakeRun) -> None:
        """Count a run that is asked for."""
        for delivery in run.deliveries:
            self.counts[_identity(delivery)] = self.of(delivery) + 1

    def of_model(self, network: str) -> int:
        """Return how many runs were asked for that describe a new network."""
        return self.counts.get(_model_of(network), 0)

    def count_model(self, network: str) -> int:
        """Count a run that is asked for to describe a network; return its number."""
        self.counts[_model_of(network)] = self.of_model(network) + 1
        return self.of_model(network)

    def keep(self, waiting: Iterable[Delivery]) -> None:
        """Forget deliveries that wait no longer, and the networks of none."""
        waiting = list(waiting)
        there = {_identity(delivery) for delivery in waiting}
        there |= {_model_of(delivery.network) for delivery in waiting}
        self.counts = {key: n for key, n in self.counts.items() if key in there}


def _model_of(network: str) -> str:
    return f"model of {network}"


def plan_runs(
    waiting: Sequence[Delivery], attempts: Attempts, *, busy: Container[str] = ()
) -> list[IntakeRun]:
    """Return the next run of each network that has deliveries waiting.

    Deliveries whose ranges of days overlap or touch are taken together, earliest days first. One
    whose run has failed goes alone, so that it does not keep others from being taken.

    Parameters
    ----------
    waiting
        In the order of their receipt.
    attempts
        Deliveries with `MOST_ATTEMPTS` are left out.
    busy
        Networks with a run under way, whose deliveries wait: days are taken in order.
    """
    by_network: dict[str, list[Delivery]] = {}
    for delivery in waiting:
        if delivery.network not in busy and attempts.of(delivery) < MOST_ATTEMPTS:
            by_network.setdefault(delivery.network, []).append(delivery)
    return [
        _first_run(network, deliveries[:MOST_DELIVERIES], attempts)
        for network, deliveries in sorted(by_network.items())
    ]


def given_up(waiting: Iterable[Delivery], attempts: Attempts) -> list[str]:
    """Return a line for each delivery that is not tried again."""
    return [
        f"{delivery.name} was not taken by {MOST_ATTEMPTS} runs and waits until it changes."
        " Open the last run, mend the cause, then touch the file"
        for delivery in waiting
        if attempts.of(delivery) >= MOST_ATTEMPTS
    ]


def _first_run(network: str, deliveries: Sequence[Delivery], attempts: Attempts) -> IntakeRun:
    spans = sorted(
        ((*delivery.days(), number) for number, delivery in enumerate(deliveries)),
    )
    first, last, number = spans[0]
    together = [number]
    tried = attempts.of(deliveries[number])
    for start, end, other in spans[1:]:
        if tried or start > last + timedelta(days=1):
            break
        if not attempts.of(deliveries[other]):
            last = max(last, end)
            together.append(other)
    days = tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
    return IntakeRun(network, days, tuple(deliveries[n] for n in sorted(together)), tried + 1)


def _identity(delivery: Delivery) -> str:
    return f"{delivery.source}:{delivery.name}@{delivery.fingerprint}"
