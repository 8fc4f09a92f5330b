"""A warehouse for a process that asks all the time: views are made once, small tables are held.

What is published later is seen by the next query all the same: of tables that are held only the
partitions that changed are read again, views of the others list their files anew.
"""

import logging
import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from .catalogue import SCHEMA_FILE, confine, create_views
from .lake import Warehouse
from .schemas import TABLES, Table

_LOG = logging.getLogger(__name__)
HELD = tuple(
    name for name, table in TABLES.items() if table.schema in ("incidents", "water", "models")
)
"""Tables of few rows in many files: the state of all incidents of two years takes 0.6 s of a core
from 3,000 files, and a fiftieth of that from memory."""

# Publishing renames a file, which stamps its folder with a clock that ticks every few milliseconds:
# two files within one tick leave one stamp, so a stamp that young proves nothing.
_YOUNG_NS = 50_000_000

Stamp = tuple[int, ...]


def stamp_of(paths: Iterable[Path]) -> Stamp | None:
    """Return what changes when one of some folders or files does; None: nothing can be said yet.

    A folder changes when a file is published or removed, which is a rename. A file in it that some
    other program writes over in place changes nothing here: looking at three thousand files for
    each answer would cost more than the answer, and nothing of this platform writes so.

    Raises
    ------
    OSError
        One is not there.
    """
    looks = [path.stat() for path in paths]
    newest = max((look.st_mtime_ns for look in looks), default=0)
    if newest > time.time_ns() - _YOUNG_NS:
        return None
    return tuple(number for look in looks for number in (look.st_mtime_ns, look.st_ino))


@dataclass
class _Held:
    """What is in memory of a table: the stamp of its folder, and of each file that was read."""

    table: Table
    folder: Path
    stamp: Stamp | None = None
    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_broken: bool = False

    @property
    def name(self) -> str:
        """Name of the table in memory."""
        return f'held."{self.table.full_name}"'

    @property
    def columns(self) -> str:
        """Its columns, for SQL."""
        return ", ".join(f'"{column.name}"' for column in self.table.columns)

    def now(self) -> dict[str, tuple[int, int]]:
        """Return the files that there are, with what changes when one is replaced."""
        found = {}
        for entry in os.scandir(self.folder):
            if entry.name.endswith(".parquet") and entry.name != SCHEMA_FILE:
                look = entry.stat()
                found[entry.path] = (look.st_mtime_ns, look.st_ino)
        return found


class PooledWarehouse(Warehouse):
    """A warehouse whose queries share one in-memory database; threads may ask at once.

    Making the views takes some tenths of a second, a query of one of them a hundredth.
    """

    def __init__(self, root: Path, *, run_id: str = "local") -> None:
        super().__init__(root, run_id=run_id)
        self._database: duckdb.DuckDBPyConnection | None = None
        self._held: list[_Held] = []
        self._lock = threading.Lock()

    @contextmanager
    def connect(
        self, as_of: datetime | None = None, *, names: Collection[str] | None = None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection with all views; of a moment that has passed, one of its own.

        Raises
        ------
        duckdb.Error
            A table has no file at all, or a query met a partition that cannot be read.
        """
        if as_of is not None:
            with super().connect(as_of, names=names) as connection:
                yield connection
            return
        with self._lock:
            if self._database is None:
                self._database = self._with_views()
            for held in self._held:
                self._bring_up_to_date(self._database, held)
            cursor = self._database.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def close(self) -> None:
        """Close the database; the next query opens another."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database, self._held = None, []

    def _with_views(self) -> duckdb.DuckDBPyConnection:
        # Queries run beside each other; one thread each adds numbers up in one order, so two
        # processes say the same to the last digit.
        database = duckdb.connect(config={"threads": 1})
        try:
            # Of the database, not of this connection alone: each query has its own.
            database.execute("SET GLOBAL TimeZone = 'UTC'")
            create_views(database, self.lake, self.history)
            confine(database, self.lake, self.history)
            database.execute("CREATE SCHEMA held")
            self._held = [_Held(TABLES[name], self._folder(TABLES[name])) for name in HELD]
            for held in self._held:
                empty = _files([str(held.folder / SCHEMA_FILE)])
                database.execute(
                    f"CREATE TABLE {held.name} AS SELECT {held.columns}, '' AS filename"
                    f" FROM read_parquet({empty})"
                )
                _show(database, held, from_memory=True)
        except duckdb.Error:
            database.close()
            raise
        return database

    def _bring_up_to_date(self, database: duckdb.DuckDBPyConnection, held: _Held) -> None:
        """Read what changed of a table. One that cannot be read fails the queries of it alone."""
        try:
            stamp = stamp_of([held.folder])
            if stamp is not None and stamp == held.stamp:
                return
            now = held.now()
            if held.is_broken or now != held.files:
                _replace_files(database, held, now)
        except (duckdb.Error, OSError) as error:
            if not held.is_broken:
                _LOG.warning("%s cannot be held: %s", held.table.full_name, error)
                _show(database, held, from_memory=False)
            held.is_broken, held.stamp = True, None
            return
        if held.is_broken:
            _show(database, held, from_memory=True)
        held.is_broken, held.stamp = False, stamp


def _replace_files(
    database: duckdb.DuckDBPyConnection, held: _Held, now: dict[str, tuple[int, int]]
) -> None:
    gone = [path for path, look in held.files.items() if now.get(path) != look]
    new = [path for path, look in now.items() if held.files.get(path) != look]
    # The empty file first: what files of an older version do not have is null.
    read = _files([str(held.folder / SCHEMA_FILE), *new])
    database.begin()
    try:
        if gone:
            database.execute(f"DELETE FROM {held.name} WHERE filename IN {_files(gone)}")
        if new:
            database.execute(
                f"INSERT INTO {held.name} SELECT {held.columns}, filename"
                f" FROM read_parquet({read}, union_by_name = true, filename = true)"
            )
        database.commit()
    except duckdb.Error:
        database.rollback()
        raise
    held.files = now


def _show(database: duckdb.DuckDBPyConnection, held: _Held, *, from_memory: bool) -> None:
    """Let the table's name mean what is in memory, or the files themselves."""
    rows = held.name if from_memory else f"read_parquet({_files([f'{held.folder}/*.parquet'])})"
    database.execute(
        f"CREATE OR REPLACE VIEW {held.table.full_name} AS SELECT {held.columns} FROM {rows}"
    )


def _files(paths: Iterable[str]) -> str:
    quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    return f"[{quoted}]"
