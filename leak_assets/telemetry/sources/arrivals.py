"""When each landed file was first seen: the time of its delivery, and the order of deliveries.

The file's own time of change cannot tell: archives and copies bring the sender's, be it of 1980.
What is done with the files is the matter of the inbox and of the steps.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leak_assets.system.files import publish
from leak_assets.system.locks import exclusive

from .landing import LandedFile

# Beside the networks' folders, not in them: senders may mirror theirs and delete what is not.
_REGISTER = ".received"


def first_seen(root: Path, files: Iterable[LandedFile]) -> dict[str, datetime]:
    """Return when each file was first seen; a file that nobody has seen before is seen now.

    Whoever looks first, sensor, command line or run, fixes the time for all who come later, so a
    repeated run gives the same rows. A file that changes is a new delivery.

    Parameters
    ----------
    root
        The landing zone, which keeps the register.
    files
        Files of the landing zone.

    Returns
    -------
    dict
        UTC time by `LandedFile.name`. Of files that are first seen together, the one that came
        to this machine first (inode change time, which no copy can set) has the earlier time.
    """
    ordered = sorted(files, key=lambda f: (f.ctime_ns, f.mtime_ns, f.name))
    register = root / _REGISTER
    seen = {file.name: _read(_entry(register, file)) for file in ordered}
    if None in seen.values():
        with exclusive(register / ".lock"):
            _enter(register, [file for file in ordered if seen[file.name] is None], seen)
    return {name: time for name, time in seen.items() if time is not None}


def _enter(register: Path, files: list[LandedFile], seen: dict[str, datetime | None]) -> None:
    last = datetime.min.replace(tzinfo=UTC)
    for file in files:
        entry = _entry(register, file)
        time = _read(entry)
        if time is None:
            # The clock may stand still between two files; their order may not.
            time = max(datetime.now(UTC), last + timedelta(microseconds=1))
            publish(entry, f"{time.isoformat()} {file.name}\n".encode())
        seen[file.name] = last = time


def _entry(register: Path, file: LandedFile) -> Path:
    return register / hashlib.sha256(f"{file.name}\n{file.signature}".encode()).hexdigest()[:32]


def _read(entry: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(entry.read_text().split(" ", 1)[0])
    except FileNotFoundError:
        return None
