"""Which landed files still have to be taken, and in which runs.

The cursor moves only over files whose run has succeeded. Files are looked at (which days do they
hold?) but not parsed here; nothing is written here.
"""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta

from leak_assets.errors import InputError
from leak_assets.settings import FIRST_DAY, Settings
from leak_assets.sites.contract import load_contract
from leak_assets.sites.registry import resolve, slug
from leak_assets.telemetry.readers.read_file import MAX_AHEAD_S
from leak_assets.telemetry.readers.times import TimeRange

from .arrivals import first_seen
from .landing import LandedFile, list_files, stray_files
from .spans import day_span

# A run that was requested but never appeared (the daemon died in between) counts as failed.
LOST_AFTER_S = 120.0
# A file whose run failed this often waits until it changes: its cause is not going to pass.
MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Delivery:
    """Files of one network whose days touch: the work of one run."""

    network: str
    days: tuple[date, ...]
    files: dict[str, str]  # path relative to the landing zone -> signature
    attempt: int


@dataclass
class Taken:
    """Files given to a run that has not ended yet."""

    files: dict[str, str]
    taken_at: float


@dataclass
class Cursor:
    """What the landing-zone sensor remembers: files done, files in flight, failed attempts."""

    done: dict[str, str] = field(default_factory=dict)
    in_flight: dict[str, Taken] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str | None) -> "Cursor":
        """Read what `to_json` wrote; no text is an empty cursor."""
        if not text:
            return cls()
        fields = json.loads(text)
        in_flight = {key: Taken(**taken) for key, taken in fields["in_flight"].items()}
        return cls(fields["done"], in_flight, fields["failures"])

    def to_json(self) -> str:
        """Serialize for the sensor's cursor."""
        return json.dumps(asdict(self), sort_keys=True)

    def wants(self, name: str, signature: str) -> bool:
        """Whether a file is neither done, nor in flight, nor given up."""
        return (
            self.done.get(name) != signature
            and all(name not in taken.files for taken in self.in_flight.values())
            and self.attempts(name, signature) < MOST_ATTEMPTS
        )

    def attempts(self, name: str, signature: str) -> int:
        """Return how often the run of a file has failed."""
        return self.failures.get(f"{name}@{signature}", 0)

    def take(self, delivery: Delivery) -> str:
        """Mark a delivery's files as in flight and return the run key of this attempt."""
        files = hashlib.sha256(json.dumps(delivery.files, sort_keys=True).encode()).hexdigest()
        run_key = f"{delivery.network}:{delivery.days[0]}:{files[:12]}:{delivery.attempt}"
        self.in_flight[run_key] = Taken(delivery.files, time.time())
        return run_key

    def succeeded(self, run_key: str) -> None:
        """Move over the files of a run."""
        for name, signature in self.in_flight.pop(run_key).files.items():
            self.done[name] = signature
            self.failures.pop(f"{name}@{signature}", None)

    def failed(self, run_key: str) -> int:
        """Free the files of a run for another attempt; return the failed attempts so far."""
        taken = self.in_flight.pop(run_key)
        for name, signature in taken.files.items():
            self.failures[f"{name}@{signature}"] = self.attempts(name, signature) + 1
        return max(self.attempts(name, signature) for name, signature in taken.files.items())

    def is_lost(self, run_key: str) -> bool:
        """Whether a run was requested so long ago that it should have appeared."""
        return time.time() - self.in_flight[run_key].taken_at > LOST_AFTER_S

    def forget_missing(self, names: set[str]) -> None:
        """Drop what is remembered of files that are no longer in the landing zone."""
        self.done = {n: s for n, s in self.done.items() if n in names}
        self.failures = {k: v for k, v in self.failures.items() if k.rsplit("@", 1)[0] in names}


def waiting_deliveries(settings: Settings, cursor: Cursor) -> tuple[list[Delivery], list[str]]:
    """Return the deliveries of all new files, and what stands in the way of others.

    Files of a network that has a run in flight wait for its end, so that the network's days are
    taken in order.
    """
    files = list_files(settings.landing_dir)
    cursor.forget_missing({f.name for f in files})
    new = [f for f in files if cursor.wants(f.name, f.signature)]
    # Also of those that have to wait: corrections count in the order in which they came.
    seen = first_seen(settings.landing_dir, new)
    busy = {slug(name.split("/", 1)[0]) for t in cursor.in_flight.values() for name in t.files}
    waiting: dict[str, dict[str, LandedFile]] = {}
    for file in new:
        if file.network not in busy:
            waiting.setdefault(file.network, {})[file.name] = file
    unknown = unknown_folders(settings, (f for wanted in waiting.values() for f in wanted.values()))
    deliveries: list[Delivery] = []
    for network, wanted in sorted(waiting.items()):
        if network not in unknown:
            deliveries += _group(network, wanted, seen, cursor)
    return deliveries, [*unknown.values(), *beside_the_folders(settings)]


def unknown_folders(settings: Settings, files: Iterable[LandedFile]) -> dict[str, str]:
    """Return what is wrong with the folders of files that belong to no usable network.

    Returns
    -------
    dict
        By the network that the folder's name stands for, a line with folder and remedy.
    """
    found = {}
    for network, folder in sorted({(f.network, f.path.parent.name) for f in files}):
        try:
            resolve(network, settings)
        except InputError as error:
            found[network] = f"landing zone, folder `{folder}`: {error}"
    return found


def beside_the_folders(settings: Settings) -> list[str]:
    """Return a line for each file that lies in no network's folder."""
    return [
        f"landing zone: `{path.name}` lies in no network's folder, so nobody takes it."
        f" Move it to `{settings.landing_dir.name}/<network>/`"
        for path in stray_files(settings.landing_dir)
    ]


def _group(
    network: str, files: dict[str, LandedFile], seen: dict[str, datetime], cursor: Cursor
) -> list[Delivery]:
    """Put files whose ranges of days overlap or touch into one delivery each, in order."""
    zone = load_contract().source_timezone
    spans = sorted(
        (*day_span(file.path, TimeRange(FIRST_DAY, seen[name], MAX_AHEAD_S), zone), name)
        for name, file in files.items()
    )
    groups: list[tuple[date, date, list[str]]] = []
    for first, last, name in spans:
        if groups and first <= groups[-1][1] + timedelta(days=1):
            start, end, names = groups[-1]
            groups[-1] = (start, max(end, last), [*names, name])
        else:
            groups.append((first, last, [name]))
    deliveries = []
    for first, last, names in groups:
        signatures = {name: files[name].signature for name in names}
        attempt = max(cursor.attempts(name, s) for name, s in signatures.items()) + 1
        days = tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
        deliveries.append(Delivery(network, days, signatures, attempt))
    # The network's next group waits for this one, as if its run were under way already.
    return deliveries[:1]
