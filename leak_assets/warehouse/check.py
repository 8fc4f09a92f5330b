"""Health of the lake: whether every partition holds what its schema and its record say."""

import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from .catalogue import SCHEMA_FILE
from .lake import Warehouse
from .partition_files import damage
from .record import METADATA_KEY, WriteRecord, is_version_of
from .schemas import TABLES, Table
from .validation import validate


@dataclass(frozen=True)
class TableHealth:
    """One table: partitions, rows, size, and the first problem found (empty = none)."""

    table: str
    partitions: int
    rows: int
    size_mb: float
    problem: str


def check_lake(warehouse: Warehouse) -> list[TableHealth]:
    """Read every partition and compare columns, types, nulls, keys and content hash."""
    return [_check_table(warehouse.lake / t.schema / t.name, t) for t in TABLES.values()]


def _check_table(folder: Path, table: Table) -> TableHealth:
    rows, size, count, problem = 0, 0, 0, ""
    for path in sorted(folder.glob("*.parquet")):
        if path.name == SCHEMA_FILE:
            continue
        count += 1
        size += path.stat().st_size
        try:
            # Once: a run may replace the file between two readings.
            content = path.read_bytes()
            found = damage(content)
            if not found:
                frame = pl.read_parquet(content)
                rows += frame.height
                validate(frame, table)
                found = _compare_with_record(content, frame)
        except (ValueError, OSError, pl.exceptions.PolarsError) as error:
            found = f"{type(error).__name__}: {error}".splitlines()[0]
        if found:
            again = table.if_lost or "run again what makes it"
            problem = problem or f"{path.name}: {found}; delete the file, then {again}"
    return TableHealth(table.full_name, count, rows, round(size / 1e6, 3), problem)


def _compare_with_record(content: bytes, frame: pl.DataFrame) -> str:
    text = pl.read_parquet_metadata(io.BytesIO(content)).get(METADATA_KEY)
    if text is None:
        return "carries no record of its write"
    if not is_version_of(frame, WriteRecord.from_json(text).data_version):
        return "content differs from its record"
    return ""
