"""A warehouse for a process that asks all the time: the views are made once, not for each query.

What is published later is seen by the next query all the same: views list their files anew.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from .catalogue import confine, create_views
from .lake import Warehouse


class PooledWarehouse(Warehouse):
    """A warehouse whose queries share one in-memory database; threads may ask at once.

    Making the views takes some tenths of a second, a query of one of them a hundredth.
    """

    def __init__(self, root: Path, *, run_id: str = "local") -> None:
        super().__init__(root, run_id=run_id)
        self._database: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    @contextmanager
    def connect(self, as_of: datetime | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a connection with all views; of a moment that has passed, one of its own.

        Raises
        ------
        duckdb.Error
            A table has no file at all, or a query met a partition that cannot be read.
        """
        if as_of is not None:
            with super().connect(as_of) as connection:
                yield connection
            return
        with self._lock:
            if self._database is None:
                self._database = self._with_views()
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
                self._database = None

    def _with_views(self) -> duckdb.DuckDBPyConnection:
        # Queries run beside each other; one thread each adds numbers up in one order, so two
        # processes say the same to the last digit.
        database = duckdb.connect(config={"threads": 1})
        try:
            # Of the database, not of this connection alone: each query has its own.
            database.execute("SET GLOBAL TimeZone = 'UTC'")
            create_views(database, self.lake, self.history)
            confine(database, self.lake, self.history)
        except duckdb.Error:
            database.close()
            raise
        return database
