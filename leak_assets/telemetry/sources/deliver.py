"""Files from anywhere on this machine into the landing zone, each as a whole or not at all.

What becomes of them there is the matter of `landing`.
"""

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from leak_assets.errors import InputError
from leak_assets.sites.sensors import SensorLayout
from leak_assets.system.files import publish, sync_folder
from leak_assets.telemetry.readers.leakdb import is_leakdb, leakdb_files
from leak_assets.telemetry.readers.mapping import MAPPING_FILE, load_mapping

from .landing import SETTLE_S, is_inside, is_unfinished, names_like, reserve

# The list that a simulation leaves beside its files (`exchange.run_folder`): no delivery.
SIMULATION_LIST = "simulation.json"
_NETWORK = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Delivered(NamedTuple):
    """Where a delivered file lay in the landing zone, and its content hash."""

    path: Path
    sha256: str


def deliver(
    paths: Iterable[Path], root: Path, network: str, layout: SensorLayout | None = None
) -> list[Delivered]:
    """Copy files into the landing zone of a network, each in one atomic step.

    A file whose name and content wait there already is left alone; another content under the
    same name gets a number (`…_Flows-2.csv`), so nothing that was delivered is lost. A
    `mapping.yaml` is no delivery: it takes the place of the one that is there.

    Parameters
    ----------
    paths
        Files, or folders whose visible files are meant (not their subfolders), or scenarios of
        LeakDB, of which the series of instrumented elements are taken.
    root
        The landing zone; made where it does not exist.
    network
        Name of the network.
    layout
        What it measures; needed for mappings and LeakDB.

    Returns
    -------
    list of Delivered
        Each file; a run may have taken it already.

    Raises
    ------
    InputError
        If a path does not exist or is no plain file, a folder's link leads out of that folder,
        the network's name or folder would lead out of the landing zone, or the file system
        refuses.
    """
    sources = [file for path in paths for file in _plain_files(path, layout)]
    if not _NETWORK.fullmatch(network):
        raise InputError(
            f"`{network}` cannot be the name of a network's folder",
            remedy="Use small letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
        )
    folder = root / network
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not is_inside(folder, Path(os.path.realpath(root))):
            raise InputError(
                f"the folder of `{network}` is a link that leads out of the landing zone",
                remedy="Replace the link by a folder",
                file=folder,
            )
        _take_mapping([path for path, _ in sources if path.name == MAPPING_FILE], folder, layout)
        return [_copy(path, folder, name) for path, name in sources if path.name != MAPPING_FILE]
    except OSError as error:
        raise InputError(
            f"files cannot be brought into the landing zone ({error.strerror or error})",
            remedy="It has to be a folder that can be written to, with room for the files;"
            " LEAK_ASSETS_HOME says where it lies",
            file=error.filename or folder,
        ) from error


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _take_mapping(sources: list[Path], folder: Path, layout: SensorLayout | None) -> None:
    """Put a mapping in place before the files that it is for, once it is found to be right."""
    for source in sources:
        if layout is not None:
            load_mapping(source, layout)
        publish(folder / MAPPING_FILE, source.read_bytes())


def _copy(source: Path, folder: Path, name: str) -> Delivered:
    # Not named after the source, whose name may be as long as names can be.
    temporary = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        with source.open("rb") as read, temporary.open("xb") as write:
            shutil.copyfileobj(read, write, 1 << 20)
            write.flush()
            os.fsync(write.fileno())
        # The copy is complete when it appears, so nobody has to wait for it to settle.
        arrived_ns = time.time_ns() - int(2 * SETTLE_S * 1e9)
        os.utime(temporary, ns=(arrived_ns, arrived_ns))
        digest = file_sha256(temporary)
        for target in names_like(folder, name):
            if _holds(target, digest):
                return Delivered(target, digest)
            if reserve(target):
                temporary.replace(target)
                sync_folder(folder)
                return Delivered(target, digest)
        raise AssertionError("names are endless")
    finally:
        temporary.unlink(missing_ok=True)


def _holds(target: Path, digest: str) -> bool:
    try:
        return target.is_file() and not target.is_symlink() and file_sha256(target) == digest
    except FileNotFoundError:
        # A run took it between the two looks: its name is free.
        return False


def _plain_files(path: Path, layout: SensorLayout | None) -> list[tuple[Path, str]]:
    """Return files with the names that they get in the landing zone."""
    try:
        if layout is not None and path.is_dir() and is_leakdb(path):
            return _series(path, layout)
        return [(file, file.name) for file in _visible_files(path)]
    except OSError as error:
        raise InputError(
            f"the path cannot be read ({error.strerror or error})",
            remedy="Check the path and its permissions",
            file=path,
        ) from error


def _series(folder: Path, layout: SensorLayout) -> list[tuple[Path, str]]:
    found = list(leakdb_files(folder, layout))
    if not found:
        raise InputError(
            f"the scenario has no series of a sensor of {layout.network}",
            remedy="Name the network that it was made with",
            file=folder,
        )
    for file, _ in found:
        if not is_inside(file, folder.resolve()):
            raise InputError(
                "this link leads out of its folder", remedy="Name the file itself", file=file
            )
    return found


def _visible_files(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError("no such file", remedy="Check the path", file=path)
    if not path.is_dir():
        if not path.is_file():
            raise InputError("this is no plain file", remedy="Name a file or folder", file=path)
        if is_unfinished(path.name):
            raise InputError(
                f"`{path.name}` is named like an unfinished file", remedy="Rename it", file=path
            )
        return [path]
    files = [
        file
        for file in sorted(path.iterdir())
        if file.is_file() and not is_unfinished(file.name) and file.name != SIMULATION_LIST
    ]
    for file in files:
        if not is_inside(file, path.resolve()):
            raise InputError(
                "this link leads out of its folder", remedy="Name the file itself", file=file
            )
    if not files:
        raise InputError("the folder holds no file", remedy="Name files to deliver", file=path)
    return files
