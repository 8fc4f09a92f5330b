"""Frames of the warehouse for answers: asked once, kept while the tables they came from stay.

Nothing is held but what a look at the folders proves to be current, so two instances on one
warehouse agree, and no lock of a run is touched. What the frames mean is the answers' business.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import duckdb
import polars as pl

from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.catalogue import SCHEMA_FILE
from leak_assets.warehouse.pool import Stamp, stamp_of
from leak_assets.warehouse.schemas import TABLES, VIEWS

from .listing import Listing

MOST_KEPT = 400
MOST_KEPT_BYTES = 256 * 2**20
Found = TypeVar("Found")


@dataclass
class _Kept:
    """What was made, the stamp of what it was made from, and when that was last looked at."""

    found: Any
    stamp: Stamp | None
    current_at: float
    size: int


@dataclass
class Store:
    """Queries over the warehouse, with what was asked before.

    Parameters
    ----------
    warehouse
        What is asked.
    listing
        Which days there are.
    grace_s
        While a frame is made anew, those who ask get the one that was current so long ago at
        most. A run writes for seconds; nobody has to wait for each of its tables.
    """

    warehouse: Warehouse
    listing: Listing
    grace_s: float = 1.0
    _kept: OrderedDict[Any, _Kept] = field(default_factory=OrderedDict, repr=False)
    _making: dict[Any, threading.Lock] = field(default_factory=dict, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ask(self, query: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Return the result of a query over tables and views; values go in as parameters.

        The query must follow from the tables alone: `now()` in it would be kept as well.

        Raises
        ------
        OSError, duckdb.Error
            The warehouse cannot be read.
        """
        key = (query, tuple(parameters))
        return self.keep(key, tables_of(query), lambda: self._run(query, parameters))

    def keep(
        self, key: Hashable, tables: Iterable[str], make: Callable[[], Found], *, size: int = 0
    ) -> Found:
        """Return what is made from tables: anew where one of them has been published since.

        Parameters
        ----------
        key
            What it is, apart from anything else that is kept.
        make
            Makes it; others who ask for the same wait for it.
        size
            Bytes that it takes; of a frame it is known.
        """
        return self._keep(key, [self.listing.folder(table) for table in tables], make, size)

    def ask_days(
        self,
        query: str,
        table: str,
        site: str,
        parameters: Sequence[Any] = (),
        *,
        first: date | None = None,
        last: date | None = None,
        newest: int | None = None,
    ) -> pl.DataFrame:
        """Return the result of a query over some days of a site: `{days}` stands for their rows.

        Opening a thousand partitions to find that thirty have the rows would take a second.

        Parameters
        ----------
        first, last
            Days (UTC), both included.
        newest
            Of these, so many at the end.
        """
        days = [
            day
            for day in self.days(table, site)
            if (first is None or day >= first) and (last is None or day <= last)
        ]
        if newest is not None:
            days = days[-newest:]
        key = TABLES[table].partition_by[-1]
        named = [self.warehouse.path(table, {"date": day.isoformat(), key: site}) for day in days]
        # One that retention removed since the folder was listed has no rows.
        files = [path for path in named if path.exists()] or [
            self.listing.folder(table) / SCHEMA_FILE
        ]
        quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
        asked = query.replace("{days}", f"read_parquet([{quoted}], union_by_name = true)")
        asking = (query, table, site, tuple(days), tuple(parameters))
        return self._keep(asking, files, lambda: self._run(asked, parameters))

    def days(self, table: str, site: str) -> list[date]:
        """Return the days of a site's partitions of a table, in order.

        Raises
        ------
        OSError
            The table's folder is not there.
        """
        return self.listing.days(table, site)

    def forget(self) -> None:
        """Look again at the next request, whatever was seen within the grace."""
        with self._guard:
            for kept in self._kept.values():
                kept.current_at = -1e9

    # ---------------------------------------------------------------- keeping
    def _keep(
        self, key: Hashable, paths: Sequence[Path], make: Callable[[], Found], size: int = 0
    ) -> Found:
        stamp = stamp_of(paths)
        with self._guard:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                if stamp is not None and kept.stamp == stamp:
                    kept.current_at = time.monotonic()
                    return cast("Found", kept.found)
            lock = self._making.setdefault(key, threading.Lock())
        is_recent = kept is not None and time.monotonic() - kept.current_at <= self.grace_s
        if not lock.acquire(blocking=not is_recent):
            # Another makes it anew.
            assert kept is not None  # noqa: S101 - for the type checker
            return cast("Found", kept.found)
        try:
            # Before it is made: what is published meanwhile makes the stamp old, not what is kept.
            stamp = stamp_of(paths)
            with self._guard:
                kept = self._kept.get(key)
                if kept is not None and stamp is not None and kept.stamp == stamp:
                    return cast("Found", kept.found)  # Made while this one waited.
            found = make()
            if isinstance(found, pl.DataFrame):
                size = int(found.estimated_size())
            with self._guard:
                self._kept[key] = _Kept(found, stamp, time.monotonic(), size)
                self._kept.move_to_end(key)
                self._drop_old()
            return found
        finally:
            lock.release()

    def _drop_old(self) -> None:
        size = sum(kept.size for kept in self._kept.values())
        while len(self._kept) > MOST_KEPT or (size > MOST_KEPT_BYTES and len(self._kept) > 1):
            key, old = self._kept.popitem(last=False)
            self._making.pop(key, None)
            size -= old.size

    def _run(self, query: str, parameters: Sequence[Any]) -> pl.DataFrame:
        try:
            return self.warehouse.sql(query, parameters)
        except duckdb.IOException:
            # A partition that was removed between listing and opening, by retention for example.
            return self.warehouse.sql(query, parameters)


@cache
def tables_of(query: str) -> tuple[str, ...]:
    """Return the tables that a query reads, those behind views among them."""
    named = set(re.findall(r"\b([a-z]+\.[a-z0-9_]+)\b", query))
    found = named & TABLES.keys()
    for view in named & VIEWS.keys():
        found |= set(tables_of(VIEWS[view].sql))
    return tuple(sorted(found))
