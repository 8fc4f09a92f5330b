"""One partition's file: written in one step and sealed, read as the bytes that were written.

Which partitions there are, and what stands in a record, is of others.
"""

import io
from functools import lru_cache
from pathlib import Path

import polars as pl

from leak_assets.errors import InputError
from leak_assets.system.files import publish

from .record import METADATA_KEY, WriteRecord
from .schemas import TABLES, Table
from .seal import SEAL_KEY, is_broken, open_seal, seal

_MAGIC = b"PAR1"


class DamagedPartitionError(InputError):
    """A partition file that does not hold what was written."""

    @classmethod
    def of(cls, path: Path, reason: str) -> "DamagedPartitionError":
        """Return the error for a partition file, with the way to get it back."""
        table = TABLES.get(f"{path.parent.parent.name}.{path.parent.name}")
        again = "run again what makes it, for example leak-assets ingest"
        return cls(
            f"the partition is damaged ({reason})",
            remedy=f"Delete the file, then {(table.if_lost if table else '') or again}",
            file=path,
        )


def replace_rows(path: Path, frame: pl.DataFrame, metadata: dict[str, str]) -> None:
    """Write and seal a partition and put it in place in one step."""
    buffer = io.BytesIO()
    frame.write_parquet(
        buffer,
        compression="zstd",
        # As small as the default level within half a percent, in four fifths of the time.
        compression_level=1,
        metadata=metadata | {SEAL_KEY: open_seal()},
    )
    publish(path, seal(buffer.getvalue()))


def sound_content(path: Path) -> bytes | None:
    """Return a partition's bytes, or None where it does not exist.

    polars opens a path twice, for the footer and for the pages: between the two another process
    may put a new file in place. Bytes that were read once are one file.

    Raises
    ------
    DamagedPartitionError
        They are not those that were written.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if problem := damage(content):
        raise DamagedPartitionError.of(path, problem)
    return content


def read_rows(path: Path, table: Table) -> pl.DataFrame | None:
    """Return a partition's rows with the columns of today, or None where it does not exist.

    Raises
    ------
    DamagedPartitionError
        They cannot be read.
    """
    content = sound_content(path)
    if content is None:
        return None
    try:
        return _as_declared(pl.read_parquet(content), table)
    except pl.exceptions.PolarsError as error:
        raise DamagedPartitionError.of(path, _first_line(error)) from error


def damage(content: bytes) -> str:
    """Return what is wrong with the bytes of a partition file; empty where nothing is."""
    if not content:
        return "the file is empty"
    if not (content.startswith(_MAGIC) and content.endswith(_MAGIC)):
        return "the file is cut off or no Parquet"
    return "its bytes changed since it was written" if is_broken(content) else ""


def read_record(path: Path) -> WriteRecord | None:
    """Return the record of a partition's last write, or None where it does not exist."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return _record_of(path, state.st_ino, state.st_mtime_ns, state.st_size)


# A day asks for the records of its reference days, as all others do. A replaced file is another
# one: files are never changed in place.
@lru_cache(maxsize=4096)
def _record_of(path: Path, _inode: int, _mtime_ns: int, _size: int) -> WriteRecord | None:
    try:
        text = pl.read_parquet_metadata(path).get(METADATA_KEY)
    except FileNotFoundError:
        return None
    except pl.exceptions.PolarsError as error:
        raise DamagedPartitionError.of(path, _first_line(error)) from error
    if text is None:
        return None
    try:
        return WriteRecord.from_json(text)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedPartitionError.of(path, "its record cannot be read") from error


def is_damaged(path: Path) -> bool:
    """Whether a partition exists and cannot be read; looked at once for each file."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return False
    return _is_damaged(path, state.st_ino, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _is_damaged(path: Path, _inode: int, _mtime_ns: int, _size: int) -> bool:
    try:
        sound_content(path)
        read_record(path)
    except DamagedPartitionError:
        return True
    return False


def columns_of(path: Path) -> dict[str, pl.DataType] | None:
    """Return the columns of a schema file, or None where there is none or it is damaged."""
    if not path.is_file():
        return None
    try:
        return dict(pl.read_parquet_schema(path))
    except pl.exceptions.PolarsError:
        return None


def _as_declared(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return rows of an older version with the columns of today: their day can be made anew.

    What was not there then is null; what is not there any more is left out.
    """
    declared = table.polars_schema
    if frame.columns == declared.names():
        return frame
    return frame.select(
        pl.col(name) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in declared.items()
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
