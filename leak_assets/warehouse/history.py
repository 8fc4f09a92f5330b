"""What was published before: which replaced files are kept, and how things stood at a time.

A kept version is a hard link made before the new file takes the place of the old one, so keeping
costs no copy and a reader never misses a version. Removing old ones is the matter of `retention`.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from .catalogue import SCHEMA_FILE
from .record import METADATA_KEY, WriteRecord
from .schemas import TABLES, Table

_REVISION = "__rev="


def is_revision(
    table: Table,
    partition: Mapping[str, str],
    previous: WriteRecord,
    record: WriteRecord,
    path: Path,
) -> bool:
    """Whether a version that is replaced has to be kept: what it said is said differently.

    A day in progress is written again with each micro-batch; as long as each goes on from the one
    before (its newest time moves on, and the next day has not begun), the longer one replaces it.

    Parameters
    ----------
    table, partition, path
        What is written, and where it lies.
    previous, record
        The version that is there, and the one to be published.
    """
    if table.history == "none" or record.data_version == previous.data_version:
        return False
    if table.history == "all":
        return True
    if not previous.rows:
        return False
    if previous.last_ts is None or record.last_ts is None or record.last_ts <= previous.last_ts:
        return True
    return _next_day(partition, path).exists()


def _next_day(partition: Mapping[str, str], path: Path) -> Path:
    day = partition["date"]
    after = date.fromisoformat(day) + timedelta(days=1)
    return path.with_name(path.name.replace(f"date={day}", f"date={after}"))


def keep(path: Path, folder: Path, record: WriteRecord) -> None:
    """Keep a partition's file under its revision; it stays in place as well."""
    # With the hash: a partition that was removed and made again begins with revision 1 once more.
    name = f"{path.stem}{_REVISION}{record.revision}-{record.data_version[:8]}.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    # A writer that was killed between keeping and publishing left the same file there.
    with suppress(FileExistsError):
        os.link(path, folder / name)


def retired_path(root: Path, path: Path) -> Path:
    """Return where the record of a partition is kept whose file retention removed."""
    table = path.parent
    return root / "retired" / table.parent.name / table.name / f"{path.stem}.json"


@dataclass(frozen=True)
class Version:
    """One version of a partition that there is a file of."""

    table: str
    partition: str
    path: Path
    record: WriteRecord
    is_current: bool

    @property
    def published_at(self) -> datetime:
        """Since when its rows were what queries saw, UTC."""
        return datetime.fromisoformat(self.record.published_at or self.record.written_at)


def versions(root: Path, table_name: str, partition: str = "*") -> Iterator[Version]:
    """Yield the versions of a table's partitions, current ones and kept ones, in no order.

    Parameters
    ----------
    root
        The warehouse's folder.
    partition
        Name of a partition, or a pattern of names (`date=*__network=l-town`).
    """
    table = TABLES[table_name]
    current = root / "lake" / table.schema / table.name
    kept = root / "history" / table.schema / table.name
    found = [(path, True) for path in current.glob(f"{partition}.parquet")]
    found += [(path, False) for path in kept.glob(f"{partition}{_REVISION}*.parquet")]
    for path, is_current in found:
        if path.name == SCHEMA_FILE:
            continue
        # One that is replaced or removed between two looks is not there.
        with suppress(FileNotFoundError, pl.exceptions.PolarsError):
            text = pl.read_parquet_metadata(path).get(METADATA_KEY)
            if text is not None:
                record = WriteRecord.from_json(text)
                yield Version(table_name, record.partition, path, record, is_current)


def versions_at(
    root: Path, table_name: str, at: datetime, partition: str = "*"
) -> dict[str, Version]:
    """Return the newest version of each partition that had been published by a time.

    Of a day in progress at that time it is the newest one that was kept, if any.
    """
    newest: dict[str, Version] = {}
    for version in versions(root, table_name, partition):
        known = newest.get(version.partition)
        if version.published_at <= at and (
            known is None or known.published_at < version.published_at
        ):
            newest[version.partition] = version
    return newest


def files_at(root: Path, at: datetime) -> dict[str, list[str]]:
    """Return the files of each table that keeps history, as they had been published by a time."""
    return {
        name: [str(version.path) for version in versions_at(root, name, at).values()]
        for name, table in TABLES.items()
        if table.history != "none"
    }
