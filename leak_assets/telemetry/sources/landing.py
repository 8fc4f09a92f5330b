"""The landing zone: `<root>/<network>/<file>`, where delivered files arrive and stay.

Listing and delivering belong here; what is in the files does not, nor which networks there are.
"""

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.sites.registry import slug

# A file that changed within this time may still be written by its sender.
SETTLE_S = 1.0
_UNFINISHED = (".tmp", ".part")
_NETWORK = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class LandedFile:
    """One complete file in the landing zone.

    `network` is the folder's name as a network's: files in `L-TOWN` and `l_town` are of `l-town`.
    """

    path: Path
    network: str
    size: int
    mtime_ns: int
    ctime_ns: int

    @property
    def name(self) -> str:
        """Path below the landing zone, `<folder>/<file>`: what tables and messages call it."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def signature(self) -> str:
        """What changes when the file changes, without reading it: `<size>:<mtime_ns>`."""
        return f"{self.size}:{self.mtime_ns}"


def list_files(
    root: Path, *, settle_s: float = SETTLE_S, now_ns: int | None = None
) -> list[LandedFile]:
    """Return the files that can be taken, sorted by folder and name.

    Left out: hidden files, `*.tmp` and `*.part`, files beside or below the networks' folders
    (`stray_files` names the former), links that lead out of the landing zone, and files that
    changed within the last `settle_s` seconds (they are not settled yet and appear later).

    Parameters
    ----------
    root
        The landing zone; need not exist.
    settle_s
        Age in seconds from which a file counts as complete; 0 lists all.
    now_ns
        Present time in nanoseconds since 1970; the system clock by default.
    """
    if not root.is_dir():
        return []
    now_ns = time.time_ns() if now_ns is None else now_ns
    real_root = root.resolve()
    found = []
    for folder in sorted(root.iterdir()):
        if _is_unfinished(folder.name) or not _is_inside(folder, real_root):
            continue
        if not folder.is_dir():
            continue
        network = slug(folder.name)
        for path in sorted(folder.iterdir()):
            if _is_unfinished(path.name) or not _is_inside(path, real_root):
                continue
            try:
                state = path.stat()
            except FileNotFoundError:
                # Removed or renamed since the folder was read: its new name comes by itself.
                continue
            # A clock set back leaves files of the future: they are not waited for.
            is_settled = abs(now_ns - state.st_mtime_ns) >= settle_s * 1e9
            if path.is_file() and is_settled:
                found.append(
                    LandedFile(path, network, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
                )
    return found


def stray_files(root: Path) -> list[Path]:
    """Return the visible files beside the networks' folders: nobody takes them."""
    if not root.is_dir():
        return []
    return [p for p in sorted(root.iterdir()) if p.is_file() and not _is_unfinished(p.name)]


def deliver(paths: Iterable[Path], root: Path, network: str) -> list[Path]:
    """Copy files into the landing zone of a network, each in one atomic step.

    A file whose name and content are there already is left alone; another content under the
    same name gets a number (`…_Flows-2.csv`), so nothing that was delivered is lost.

    Parameters
    ----------
    paths
        Files, or folders whose visible files are meant (not their subfolders).
    root
        The landing zone; made where it does not exist.
    network
        Name of the network.

    Returns
    -------
    list of Path
        Where each file is in the landing zone.

    Raises
    ------
    InputError
        If a path does not exist or is no plain file, a folder's link leads out of that folder,
        or the network's name or folder would lead out of the landing zone.
    """
    sources = [file for path in paths for file in _plain_files(path)]
    if not _NETWORK.fullmatch(network):
        raise InputError(
            f"`{network}` cannot be the name of a network's folder",
            remedy="Use small letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
        )
    folder = root / network
    folder.mkdir(parents=True, exist_ok=True)
    if not _is_inside(folder, root.resolve()):
        raise InputError(
            f"the folder of `{network}` is a link that leads out of the landing zone",
            remedy="Replace the link by a folder",
            file=folder,
        )
    return [_copy(source, folder) for source in sources]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, folder: Path) -> Path:
    temporary = folder / f".{source.name}.{secrets.token_hex(4)}.tmp"
    try:
        with source.open("rb") as read, temporary.open("xb") as write:
            shutil.copyfileobj(read, write, 1 << 20)
            write.flush()
            os.fsync(write.fileno())
        # The copy is complete when it appears, so nobody has to wait for it to settle.
        arrived_ns = time.time_ns() - int(2 * SETTLE_S * 1e9)
        os.utime(temporary, ns=(arrived_ns, arrived_ns))
        digest = file_sha256(temporary)
        for target in _names(folder, source.name):
            if target.is_file() and not target.is_symlink() and file_sha256(target) == digest:
                return target
            if _reserve(target):
                temporary.replace(target)
                _fsync_folder(folder)
                return target
        raise AssertionError("names are endless")
    finally:
        temporary.unlink(missing_ok=True)


def _reserve(target: Path) -> bool:
    """Claim a name, so that two deliveries at once cannot replace each other's file."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True


def _names(folder: Path, name: str) -> Iterator[Path]:
    """Yield the name, then the name with 2, 3, … before its endings."""
    stem, dot, endings = name.partition(".")
    yield folder / name
    number = 2
    while True:
        yield folder / f"{stem}-{number}{dot}{endings}"
        number += 1


def _plain_files(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError("no such file", remedy="Check the path", file=path)
    if not path.is_dir():
        if not path.is_file():
            raise InputError("this is no plain file", remedy="Name a file or folder", file=path)
        if path.name.startswith(".") or _is_unfinished(path.name):
            raise InputError(
                f"`{path.name}` is named like an unfinished file", remedy="Rename it", file=path
            )
        return [path]
    files = [f for f in sorted(path.iterdir()) if f.is_file() and not _is_unfinished(f.name)]
    for file in files:
        if not _is_inside(file, path.resolve()):
            raise InputError(
                "this link leads out of its folder", remedy="Name the file itself", file=file
            )
    if not files:
        raise InputError("the folder holds no file", remedy="Name files to deliver", file=path)
    return files


def _is_unfinished(name: str) -> bool:
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def _is_inside(path: Path, real_root: Path) -> bool:
    return path.resolve().is_relative_to(real_root)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
