"""Locks between processes, by name; the kind of lock is a setting.

A lock is free again when its holder dies, and is not reentrant: whoever holds it must not call
what takes it. What a lock guards is the matter of the room that takes it.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leak_assets.errors import InputError
from leak_assets.settings import Settings


class Locks(Protocol):
    """Locks of one kind. Their reach says what may share a warehouse: one machine, or several."""

    def hold(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock of that name; wait while another process, or thread, holds it."""


@dataclass(frozen=True)
class FileLocks:
    """Locks of the operating system on files in a folder: for processes of one machine.

    Network file systems keep them as well, where they support `flock`.
    """

    folder: Path

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold `<folder>/<name>.lock`."""
        with exclusive(self.folder / f"{name}.lock"):
            yield


# A database's advisory locks, or a key in Redis, would make a kind of their own: a class with
# `hold`, made from the settings, and its name here.
KINDS: dict[str, Callable[[Settings], Locks]] = {
    "file": lambda settings: FileLocks(settings.warehouse_dir / ".locks")
}


def locks(settings: Settings) -> Locks:
    """Return the locks of the setting `LEAK_ASSETS_LOCK`.

    Raises
    ------
    InputError
        There is no such kind.
    """
    make = KINDS.get(settings.lock)
    if make is None:
        raise InputError(
            f"LEAK_ASSETS_LOCK={settings.lock} is no kind of lock",
            remedy=f"Set one of: {', '.join(sorted(KINDS))}",
        )
    return make(settings)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, made where it does not exist; wait while another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def exclusive_or_none(path: Path) -> Iterator[bool]:
    """Try to hold the lock file at `path`: True where it is held, False where another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
