"""The record that every partition file carries of its own write.

Data and record are one file, replaced in one step, so the audit trail cannot disagree with the
data. Hashing and (de)serialization belong here; reading and writing files does not.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from xxhash import xxh3_128

METADATA_KEY = "leak_assets"
# Superseded records carried along in a file: enough to follow months of daily rewrites of one
# partition, small enough to stay out of the way of readers. A day's raw log names each of its
# files, and is written with each: of those fewer are carried.
SUPERSEDED_KEPT = 50
SUPERSEDED_INPUTS_KEPT = 400
_SHA256_DIGITS = 64


class Digest(Protocol):
    """A hash under way."""

    def update(self, data: Any, /) -> None:
        """Take in more bytes."""

    def hexdigest(self) -> str:
        """Return the hash of all bytes."""


@dataclass(frozen=True)
class Input:
    """Something a partition was made from.

    `kind` is `table`, `file`, `model`, `contract`, `network`, `layout`, `plan` or
    `setting`; `version` a content hash, or the value of the setting.
    """

    kind: str
    name: str
    partition: str
    version: str


@dataclass(frozen=True)
class WriteRecord:
    """What one write put into one partition."""

    table: str
    partition: str
    data_version: str
    rows: int
    first_ts: str | None
    last_ts: str | None
    code_version: str
    run_id: str
    written_at: str
    inputs: tuple[Input, ...] = ()
    # 1, and one more for each version that was kept when this one was published.
    revision: int = 1
    # When the partition was first published; records from before this was noted have none.
    first_written_at: str = ""
    # Since when these rows are what queries see: a write of the same rows does not change it.
    published_at: str = ""
    superseded: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def to_json(self) -> str:
        """Serialize for Parquet key-value metadata."""
        # `asdict` copies what `superseded` carries, value by value: a millisecond of each write.
        inputs = [vars(source) for source in self.inputs]
        return json.dumps(vars(self) | {"inputs": inputs}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "WriteRecord":
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        fields["inputs"] = tuple(Input(**i) for i in fields["inputs"])
        fields["superseded"] = tuple(fields["superseded"])
        return cls(**fields)

    @property
    def first_published_at(self) -> datetime:
        """When the partition was first published, UTC."""
        return datetime.fromisoformat(self.first_written_at or self.written_at)

    def says_the_same_as(self, other: "WriteRecord | None") -> bool:
        """Whether both wrote the same content from the same inputs with the same code."""
        return other is not None and (self.data_version, self.code_version, self.inputs) == (
            other.data_version,
            other.code_version,
            other.inputs,
        )

    def after(self, previous: "WriteRecord | None") -> "WriteRecord":
        """Return this record carrying `previous` and what that one carried, newest first."""
        if previous is None:
            return self
        old = asdict(previous)
        known = (old, *(old.pop("superseded") or ()))[:SUPERSEDED_KEPT]
        carried: list[dict[str, Any]] = []
        inputs = 0
        for record in known:
            inputs += len(record["inputs"])
            if carried and inputs > SUPERSEDED_INPUTS_KEPT:
                break
            carried.append(record)
        return replace(self, superseded=tuple(carried))


def content_hash(frame: pl.DataFrame, digest_of: Callable[[bytes], Digest] = xxh3_128) -> str:
    """Return the XXH3-128 of names, types and values of `frame`, in row order.

    Each column is hashed as its values' own bytes (text and blobs with their lengths) and where it
    is null, so the hash depends neither on chunks nor on the Parquet writer's version. It tells
    versions apart, and proves nothing to anybody: whoever can change a partition can change its
    record, too. So a fast hash does; SHA-256 took 5 ms of a day of L-Town, this one 0.8 ms.

    Parameters
    ----------
    digest_of
        Another hash, for records that were written with it.
    """
    digest = digest_of(repr(list(frame.schema.items())).encode())
    if frame.is_empty():
        # Most days have no incident event: no column of theirs is looked at.
        return digest.hexdigest()
    for column in frame.iter_columns():
        nulls = column.null_count()
        if nulls:
            digest.update(column.is_null().to_numpy().tobytes())
        if column.dtype in (pl.String, pl.Binary):
            empty = "" if column.dtype == pl.String else b""
            lengths, content = _text_bytes(column.fill_null(empty) if nulls else column)
            digest.update(lengths.data)
            digest.update(content)
        else:
            numbers = column.to_physical()
            if nulls:
                numbers = numbers.fill_null(False if numbers.dtype == pl.Boolean else 0)
            digest.update(np.ascontiguousarray(numbers.to_numpy()).data)
    return digest.hexdigest()


def is_version_of(frame: pl.DataFrame, data_version: str) -> bool:
    """Whether a recorded version is that of a frame; records of former lakes have SHA-256."""
    former = len(data_version) == _SHA256_DIGITS
    return data_version == content_hash(frame, hashlib.sha256 if former else xxh3_128)


def _text_bytes(column: pl.Series) -> tuple[NDArray[np.uint32], Any]:
    """Return the length of each text or blob (bytes), and all of them in one piece.

    As Arrow lays them out: joining them to one text and encoding that took four times as long.
    """
    array = column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, content = array.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(column) + 1]
    piece = b"" if content is None else memoryview(content)[int(places[0]) : int(places[-1])]
    return np.diff(places).astype(np.uint32), piece


def combined_hash(parts: Iterable[str]) -> str:
    """Return the SHA-256 over several hashes or names, in the order given."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def time_range(frame: pl.DataFrame) -> tuple[str | None, str | None]:
    """Return the earliest and latest value of the first time column, ISO 8601, or None."""
    for name, dtype in frame.schema.items():
        if isinstance(dtype, pl.Datetime):
            low, high = frame[name].min(), frame[name].max()
            if isinstance(low, datetime) and isinstance(high, datetime):
                return low.isoformat(), high.isoformat()
            return None, None
    return None, None


def now_iso() -> str:
    """Return the present time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat()
