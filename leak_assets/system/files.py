"""Files and folders that a reader sees as a whole or not at all.

What is in them is the matter of the room that writes them.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leak_assets.errors import InputError


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
