"""Files and folders that a reader sees as a whole or not at all, and what the disk refuses.

What is in them is the matter of the room that writes them.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leak_assets.errors import InputError

_NO_FOLDER = "A file lies where a folder is needed: move it away, or choose another folder"
# What the disk refuses for a reason that a user can mend; everything else is a fault of ours.
_REMEDIES = {
    errno.EACCES: "Give this user the right to it, or choose another folder",
    errno.EPERM: "Give this user the right to it, or choose another folder",
    errno.EROFS: "The disk is read-only: choose another folder",
    errno.ENOSPC: "The disk is full: make room, then run again",
    errno.EDQUOT: "The quota is used up: make room, then run again",
    errno.EFBIG: "The limit on file sizes is reached: raise `ulimit -f`, then run again",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.EISDIR: "A folder lies where a file is needed: move it away, or choose another path",
    errno.ELOOP: "Links lead in a circle: remove one",
    errno.EMFILE: "Too many files are open: raise the limit (`ulimit -n`)",
}


def as_input_error(error: OSError) -> InputError | None:
    """Return what the disk refused in one line, or None where the user is not the cause."""
    # Rust's libraries have the number in the text alone.
    told = re.search(r"\(os error (\d+)\)", str(error))
    remedy = _REMEDIES.get(error.errno or (int(told[1]) if told else 0))
    if remedy is None:
        return None
    reason = error.strerror or str(error)
    return InputError(reason[:1].lower() + reason[1:], remedy=remedy, file=error.filename)


def check_folder(folder: Path, option: str) -> None:
    """Check that the folder of an option can be made and written to; nothing is left there.

    Parameters
    ----------
    option
        Name of the option that names the folder, for the remedy.

    Raises
    ------
    InputError
        It cannot, whatever the reason: another folder is the remedy.
    """
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        probe = there / f".{secrets.token_hex(4)}.tmp"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"cannot write there: {error.strerror}", remedy=f"Choose another {option}", file=folder
        ) from error


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Give a draft to write; it takes the place of `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Several processes, and threads of one, may write the same file.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file that was put there is found after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none."""
    with publishing(path) as draft:
        draft.write_bytes(content)


@contextmanager
def publishing_folder(folder: Path, marker: str) -> Iterator[Path]:
    """Give a folder to fill; it takes the place of `folder` when the block ends without an error.

    Parameters
    ----------
    marker
        File that tells a folder of this kind. Only such a one, or an empty one, is replaced.

    Raises
    ------
    InputError
        The folder holds something else, or is a file.
    """
    check_replaceable(folder, marker)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        draft.mkdir()
        yield draft
        # A folder cannot be replaced in one step: for an instant there is none.
        if folder.exists():
            folder.replace(old)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def check_replaceable(folder: Path, marker: str) -> None:
    """Refuse a folder that holds anything but an earlier export of the same kind."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError("this is a file", remedy="Give the path of a folder", file=folder)
    if any(folder.iterdir()) and not (folder / marker).is_file():
        raise InputError(
            f"the folder holds other files (it has no {marker})",
            remedy="Give a new or an empty folder",
            file=folder,
        )
