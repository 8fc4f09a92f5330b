"""The scaler as a pickle, for programs that ask for one; and how to open one safely.

The platform itself reads `scaler.json`. A pickle is bytes that run as they are opened, so it is
opened only where its hash is the registered one, and only plain values come out of it.
"""

import io
import pickle
from pathlib import Path
from typing import Any, NoReturn

from leak_assets.errors import InputError

from .artefact import FILES, PICKLE, load_artefact, verified_bytes


def pickled(content: dict[str, Any]) -> bytes:
    """Return plain values (texts, numbers, lists, mappings of them) as a pickle."""
    # A fixed protocol: the same scaler gives the same bytes with every Python.
    return pickle.dumps(content, protocol=4)


def open_scaler_pickle(folder: Path, *, manifest_sha256: str) -> dict[str, Any]:
    """Return the content of `scaler.pkl` of a registered package.

    Parameters
    ----------
    manifest_sha256
        Hash of the manifest as the registry recorded it.

    Raises
    ------
    InputError
        The package is not the registered one, or the pickle holds more than plain values; nothing
        of it was run.
    """
    artefact = load_artefact(folder, manifest_sha256=manifest_sha256, files=(*FILES, PICKLE))
    raw = verified_bytes(folder, PICKLE, artefact.manifest["files"][PICKLE])
    try:
        found = _PlainValues(io.BytesIO(raw)).load()
    except pickle.UnpicklingError as error:
        raise InputError(
            f"the pickle cannot be used: {error}",
            remedy="Export the model again; its scaler is in scaler.json, too",
            file=folder / PICKLE,
        ) from error
    if not isinstance(found, dict):
        raise InputError("the pickle is no scaler", remedy="Export again", file=folder / PICKLE)
    return found


class _PlainValues(pickle.Unpickler):
    """An unpickler that knows no class and no function."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")
