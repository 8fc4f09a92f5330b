"""The landing zone: `<root>/<network>/<file>`, where delivered files wait until they are taken.

That a file was taken is a row of the ledger, and nothing else; moving it to
`<network>/done/<day of receipt>/` afterwards keeps the next look short. What is in the files
belongs to the readers.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

import polars as pl

from leak_assets.errors import InputError
from leak_assets.settings import FIRST_DAY, Settings
from leak_assets.sites.registry import slug
from leak_assets.sites.site import Site, find_site
from leak_assets.telemetry.ledger import LEDGER
from leak_assets.telemetry.readers.mapping import MAPPING_FILE, SiteMapping, site_mapping
from leak_assets.telemetry.readers.parsed_file import FILE_SOURCE, ParsedFile
from leak_assets.telemetry.readers.problems import shown
from leak_assets.telemetry.readers.read_file import ENDINGS, MAX_AHEAD_S, parse_file
from leak_assets.telemetry.readers.times import TimeRange
from leak_assets.warehouse import Warehouse

from .source import DeliveryLeftError
from .spans import day_span

# A file that changed within this time may still be written by its sender.
SETTLE_S = 0.5
# Folder of taken files in each network's folder.
DONE = "done"
_UNFINISHED = (".tmp", ".part")
_NAME_BYTES = 255
_TOLD = 5


@dataclass(frozen=True)
class LandedFile:
    """One complete file in the landing zone, a `Delivery`.

    `network` is the folder's name as a network's: files in `L-TOWN` and `l_town` are of `l-town`.
    """

    path: Path
    network: str
    size: int
    mtime_ns: int
    ctime_ns: int
    received_at: datetime
    source_timezone: str = "UTC"
    source: str = FILE_SOURCE
    # How the folder's files are laid out, as found with the file.
    mapping: SiteMapping | None = None

    @property
    def name(self) -> str:
        """Path below the landing zone, `<folder>/<file>`; what is not UTF-8 of it is escaped."""
        name = os.fsencode(f"{self.path.parent.name}/{self.path.name}")
        return name.decode("utf-8", "backslashreplace")

    @property
    def fingerprint(self) -> str:
        """`<size>:<mtime_ns>:<ctime_ns>`."""
        return f"{self.size}:{self.mtime_ns}:{self.ctime_ns}"

    def days(self) -> tuple[date, date]:
        """Return the first and last UTC day by the file's clock."""
        return _days(
            self.path, self.fingerprint, self.received_at, self.source_timezone, self.mapping
        )


class LandingFolder:
    """The landing zone as a `Source`.

    A file belongs to the platform once it lies there: it is taken as it is, and moved. One that
    comes again, or changes after it was taken, is a new delivery.

    Parameters
    ----------
    settings
        Name the landing zone and the networks that there are.
    warehouse
        Holds the ledger.
    """

    name = FILE_SOURCE

    def __init__(self, settings: Settings, warehouse: Warehouse) -> None:
        self.root = settings.landing_dir
        self._settings = settings
        self._warehouse = warehouse
        self._problems: dict[str, str] = {}
        self._sites: dict[str, Site | str] = {}
        self._ledger: dict[Path, tuple[int, frozenset[tuple[str, str]]]] = {}

    def waiting(self) -> list[LandedFile]:
        """Return the settled files of known networks that the ledger does not have, in order.

        Of files that came at the same time, the name decides. A file that the ledger has, left
        behind by a run that was killed, is moved on the way.
        """
        self._problems = _wrong_places(self.root)
        waiting = []
        for file in list_files(self.root):
            if self._is_taken(file):
                self.acknowledge(file)
                continue
            site = self._site(file)
            if site is not None and self._has_good_mapping(file, site):
                zone = site.contract.source_timezone
                mapping = self._mapping(file, site)
                waiting.append(replace(file, source_timezone=zone, mapping=mapping))
        return sorted(waiting, key=lambda f: (f.received_at, f.ctime_ns, f.mtime_ns, f.name))

    def problems(self) -> list[str]:
        """Return a line for each thing in the landing zone that nobody takes, as last seen."""
        return list(self._problems.values())

    def read(self, delivery: LandedFile, site: Site) -> ParsedFile:
        """Return the readings of a file.

        Raises
        ------
        DeliveryLeftError
            It is gone, cannot be opened, or changed since the look or while it was read.
        """
        try:
            # Opening tells what stands in the way; a reader would call the content unusable.
            with delivery.path.open("rb"):
                pass
            parsed = parse_file(
                delivery.path,
                network=delivery.network,
                layout=site.layout,
                contract=site.contract,
                received_at=delivery.received_at,
                file_path=delivery.name,
                mapping=delivery.mapping,
                refuses_impossible=not site.is_validated,
            )
            if _fingerprint(delivery.path) != delivery.fingerprint:
                raise DeliveryLeftError(f"{delivery.name} changed while it was read; it waits")
        except OSError as error:
            raise DeliveryLeftError(
                f"{delivery.name} cannot be read ({error.strerror or error}); it waits"
            ) from error
        return parsed

    def acknowledge(self, delivery: LandedFile) -> None:
        """Move a file to `done/<day of receipt>/`; one that is gone or has changed stays."""
        folder = delivery.path.parent
        done = folder / DONE / delivery.received_at.date().isoformat()
        try:
            if _fingerprint(delivery.path) != delivery.fingerprint:
                return
            done.mkdir(parents=True, exist_ok=True)
            moved = _move(delivery.path, done)
            state = moved.stat()
            if (state.st_size, state.st_mtime_ns) != (delivery.size, delivery.mtime_ns):
                # Changed in the last instant: that content was not taken.
                _move(moved, folder)
        except FileNotFoundError:
            return
        except OSError as error:
            self._problems[delivery.name] = (
                f"landing zone: `{delivery.name}` was taken but cannot be moved to `{DONE}/`"
                f" ({error.strerror or error}). Every look passes over it: give the folder to the"
                " user that runs the platform"
            )

    def _is_taken(self, file: LandedFile) -> bool:
        """Whether the ledger has a file as it is, by its page of the day of receipt."""
        partition = {"date": file.received_at.date().isoformat(), "network": file.network}
        path = self._warehouse.path(LEDGER, partition)
        try:
            changed_ns = path.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        version, taken = self._ledger.get(path, (0, frozenset()))
        if version != changed_ns:
            frame = self._warehouse.read(LEDGER, partition)
            taken = frozenset() if frame is None else _names_and_fingerprints(frame)
            self._ledger[path] = changed_ns, taken
        return (file.name, file.fingerprint) in taken

    def _has_good_mapping(self, file: LandedFile, site: Site) -> bool:
        """Whether the folder's mapping can be used, or there is none; tells what is wrong."""
        try:
            self._mapping(file, site)
        except InputError as error:
            place = f"{file.path.parent.name}/{MAPPING_FILE}"
            self._problems[place] = f"landing zone: {error}; the folder's files wait"
            return False
        return True

    def _mapping(self, file: LandedFile, site: Site) -> SiteMapping | None:
        if not (file.path.parent / MAPPING_FILE).is_file():
            return None
        return site_mapping(file.path.parent, site.layout)

    def _site(self, file: LandedFile) -> Site | None:
        """Return the site that a file's folder is named after; tells where there is none."""
        folder = file.path.parent.name
        if folder not in self._sites:
            try:
                self._sites[folder] = find_site(file.network, self._settings)
            except InputError as error:
                self._sites[folder] = f"landing zone, folder `{shown(folder)}`: {error}"
        found = self._sites[folder]
        if isinstance(found, str):
            self._problems[folder] = found
            return None
        return found


def list_files(
    root: Path,
    *,
    settle_s: float = SETTLE_S,
    now_ns: int | None = None,
) -> list[LandedFile]:
    """Return the files in the networks' folders that can be read, sorted by folder and name.

    Left out: hidden files, `*.tmp` and `*.part`, a site's mapping, files beside or below the
    networks' folders, links, folders that lead out of the landing zone, and files that changed
    within the last `settle_s` seconds (they are not settled yet and appear later).

    Parameters
    ----------
    root
        The landing zone; need not exist.
    settle_s
        Age in seconds from which a file counts as complete; 0 lists all.
    now_ns
        Present time in nanoseconds since 1970; the system clock by default.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    found = []
    for folder in _network_folders(root):
        network = slug(folder.name)
        for entry in _entries(folder):
            if is_unfinished(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            if entry.name == MAPPING_FILE:
                continue
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                # Removed or renamed since the folder was read: its new name comes by itself.
                continue
            # A clock set back leaves files of the future: they are not waited for.
            if abs(now_ns - state.st_mtime_ns) >= settle_s * 1e9:
                found.append(
                    LandedFile(
                        folder / entry.name,
                        network,
                        state.st_size,
                        state.st_mtime_ns,
                        state.st_ctime_ns,
                        _received_at(state.st_ctime_ns, now_ns),
                    )
                )
    return found


def _received_at(ctime_ns: int, now_ns: int) -> datetime:
    """Return when a file came: the inode's time of change, which no copy or archive can set.

    It is the same at each look, also after a run that was killed. A clock that was wrong when
    the file came (a machine that started in 1970, or ahead of its time) is not believed.
    """
    first_ns = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp())
    is_possible = first_ns * 10**9 <= ctime_ns <= now_ns
    microseconds = (ctime_ns if is_possible else now_ns) // 1000
    seconds, rest = divmod(microseconds, 10**6)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


@lru_cache(maxsize=4096)
def _days(
    path: Path,
    _fingerprint: str,
    received_at: datetime,
    source_timezone: str,
    mapping: SiteMapping | None,
) -> tuple[date, date]:
    """Return the days of a file, which is read for it: once, however many looks it waits."""
    allowed = TimeRange(FIRST_DAY, received_at, MAX_AHEAD_S)
    return day_span(path, allowed, source_timezone, mapping)


def _names_and_fingerprints(ledger: pl.DataFrame) -> frozenset[tuple[str, str]]:
    return frozenset(ledger.select("file_path", "fingerprint").iter_rows())


def _wrong_places(root: Path) -> dict[str, str]:
    """Return what lies where nobody takes it, by its place."""
    if root.exists() and not root.is_dir():
        remedy = "Replace it by a folder"
        return {"": f"landing zone: `{root}` is no folder, so nothing can land. {remedy}"}
    stray = [
        e.name
        for e in _entries(root)
        if e.is_file(follow_symlinks=False) and not is_unfinished(e.name)
    ]
    found = {
        name: f"landing zone: `{shown(name)}` lies in no network's folder, so nobody takes it."
        f" Move it to `{root.name}/<network>/`"
        for name in stray[:_TOLD]
    }
    if len(stray) > _TOLD:
        found["*"] = f"landing zone: {len(stray) - _TOLD} more files lie in no network's folder"
    for folder in _network_folders(root):
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            found[folder.name] = (
                f"landing zone: the folder `{shown(folder.name)}` cannot be read and written."
                " Give it to the user that runs the platform"
            )
        for entry in _entries(folder):
            if entry.is_symlink() and not is_unfinished(entry.name):
                place = f"{folder.name}/{entry.name}"
                found[place] = (
                    f"landing zone: `{shown(place)}` is a link, which nobody takes."
                    " Put the file itself there"
                )
    return found


def _network_folders(root: Path) -> Iterator[Path]:
    real_root = Path(os.path.realpath(root))
    for entry in _entries(root):
        folder = root / entry.name
        if not is_unfinished(entry.name) and folder.is_dir() and is_inside(folder, real_root):
            yield folder


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    """Return what lies in a folder, sorted by name; nothing where it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _fingerprint(path: Path) -> str:
    state = path.lstat()
    return f"{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}"


def _move(path: Path, folder: Path) -> Path:
    """Move a file into a folder of the same file system, under its name or one like it."""
    for target in names_like(folder, path.name):
        if reserve(target):
            try:
                path.replace(target)
            except OSError:
                target.unlink()
                raise
            return target
    raise AssertionError("names are endless")


def reserve(target: Path) -> bool:
    """Claim a name, so that two moves at once cannot replace each other's file."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def names_like(folder: Path, name: str) -> Iterator[Path]:
    """Yield the name, then the name with 2, 3, … before its ending, cut where it is too long."""
    yield folder / name
    ending = next((e for e in reversed(ENDINGS) if name.lower().endswith(e)), "")
    stem, ending = name[: len(name) - len(ending)], name[len(name) - len(ending) :]
    number = 2
    while True:
        tail = f"-{number}{ending}"
        short = os.fsencode(stem)[: _NAME_BYTES - len(tail)].decode("utf-8", "ignore")
        yield folder / f"{short}{tail}"
        number += 1


def is_unfinished(name: str) -> bool:
    """Whether a file or folder is hidden or named like one that is still written."""
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def is_inside(path: Path, real_root: Path) -> bool:
    """Whether a path, all links followed, lies below a folder."""
    return Path(os.path.realpath(path)).is_relative_to(real_root)
