"""The file of API keys: names, roles, sites and hashes. No key is ever stored or logged.

A key is 256 random bits, so its SHA-256 is as good as a slow hash of a password: there is nothing
to guess. Who passes with a key is `guard`'s business.
"""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.system.files import publish
from leak_assets.system.locks import locks
from leak_assets.system.strict_yaml import read_mapping, validated

from .access import Caller, Role

_PREFIX = "lak_"
_REMEDY = "`leak-assets keys add` writes the file"
_LOCK = "api-keys"
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,62}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ApiKey(_Strict):
    """One key, by its hash.

    Parameters
    ----------
    name
        Who uses it; stands beside what is changed with it.
    role
        What may be done with it.
    sites
        What may be seen with it; none given: all sites.
    sha256
        Of the key, hexadecimal.
    """

    name: _Name
    role: Role
    sites: tuple[str, ...] | None = None
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)

    def caller(self) -> Caller:
        """Return who asks with it."""
        return Caller(self.name, self.role, None if self.sites is None else frozenset(self.sites))


class KeyFile(_Strict):
    """The content of the file."""

    keys: tuple[ApiKey, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "KeyFile":
        names = [key.name for key in self.keys]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"name `{twice[0]}` is given twice")
        return self


@dataclass
class Keys:
    """The keys of a home, read again when their file changes: a removed key ends at once.

    Parameters
    ----------
    path
        The file. Its keys are known once; a file that is gone or cannot be used lets nobody in.
    """

    path: Path
    _stamp: tuple[int, int] = field(default=(0, 0), repr=False)
    _keys: tuple[ApiKey, ...] = field(default=(), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def caller(self, given: str) -> Caller | None:
        """Return who asks with a key, or None. Takes as long whichever key it is, or none."""
        digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for key in self._current():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return None if found is None else found.caller()

    def _current(self) -> tuple[ApiKey, ...]:
        with self._lock:
            try:
                status = self.path.stat()
                stamp = (status.st_mtime_ns, status.st_size)
                if stamp != self._stamp:
                    self._keys = read_keys(self.path)
                    self._stamp = stamp
            except (OSError, InputError):
                self._keys, self._stamp = (), (0, 0)
            return self._keys


def keys_path(settings: Settings) -> Path:
    """Return where the keys of a home stand."""
    return settings.api_keys_file or settings.home.resolve() / "var" / "api-keys.yaml"


def configured_keys(settings: Settings) -> Keys | None:
    """Return the keys of a home, or None where it has none: then only loopback may be served.

    Raises
    ------
    InputError
        The file cannot be used, or others than its owner may read it.
    """
    path = keys_path(settings)
    if not path.exists() and settings.api_keys_file is None:
        return None
    read_keys(path)
    if path.stat().st_mode & 0o022:
        raise InputError(
            "others may write the file of API keys", remedy=f"chmod 600 {path}", file=path
        )
    return Keys(path)


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Return the keys of a file.

    Raises
    ------
    InputError
        It cannot be used; the key and its line are named, never a hash.
    """
    content, text = read_mapping(path, "file of API keys", remedy=_REMEDY)
    return validated(KeyFile, content, file=path, text=text, remedy=_REMEDY).keys


def add_key(settings: Settings, name: str, role: Role, sites: Iterable[str] | None) -> str:
    """Make a key, write its hash and return it: it is seen this once.

    Raises
    ------
    InputError
        The name is taken or cannot be used.
    """
    path = keys_path(settings)
    key = _PREFIX + secrets.token_urlsafe(32)
    entry: dict[str, object] = {
        "name": name,
        "role": role,
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
    }
    if sites is not None:
        entry["sites"] = sorted(set(sites))
    with locks(settings).hold(_LOCK):
        known = read_keys(path) if path.exists() else ()
        if any(other.name == name for other in known):
            raise InputError(
                f"there is a key named {name!r} already",
                remedy="Choose another name, or `leak-assets keys remove` that one first",
            )
        _write(path, [*(_plain(other) for other in known), entry])
    return key


def remove_key(settings: Settings, name: str) -> None:
    """Remove a key: whoever has it is let in no more.

    Raises
    ------
    InputError
        There is none of that name, or it is the last: a file without keys lets nobody in.
    """
    path = keys_path(settings)
    with locks(settings).hold(_LOCK):
        known = read_keys(path) if path.exists() else ()
        left = [_plain(key) for key in known if key.name != name]
        if len(left) == len(known):
            raise InputError(
                f"there is no key named {name!r}", remedy="`leak-assets keys list` names them"
            )
        if not left:
            raise InputError(
                f"{name!r} is the last key",
                remedy=f"Add another first, or delete {path} to serve loopback alone without keys",
            )
        _write(path, left)


def _plain(key: ApiKey) -> dict[str, object]:
    return key.model_dump(mode="json", exclude_none=True)


def _write(path: Path, entries: list[dict[str, object]]) -> None:
    content = {"keys": entries}
    validated(KeyFile, content, file=path, remedy="Use letters, digits, spaces and ._@-")
    publish(path, yaml.safe_dump(content, sort_keys=False).encode())
    path.chmod(0o600)
