"""The newest rows of tables by day, read partition by partition from the end.

Nothing is held between requests but what has not changed since: two instances on one warehouse
give the same answers, and no run waits for a reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from threading import Lock

import polars as pl

from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.pool import Stamp, stamp_of
from leak_assets.warehouse.schemas import TABLES

from .listing import Listing

_KEPT_PARTITIONS = 64


@dataclass
class NewestRows:
    """Reads the newest partitions of tables; a partition that has not changed is read once."""

    warehouse: Warehouse
    listing: Listing
    _frames: dict[str, tuple[Stamp, pl.DataFrame]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def days(self, table: str, sites: Sequence[str]) -> list[tuple[date, str]]:
        """Return the days of a table and whose they are, newest first."""
        known = self.listing.by_site(table)
        return sorted(((day, site) for site in sites for day in known.get(site, [])), reverse=True)

    def rows(self, table: str, day: date, site: str) -> pl.DataFrame:
        """Return the rows of a day of a site; none where it is gone meanwhile."""
        key = TABLES[table].partition_by[-1]
        partition = {"date": day.isoformat(), key: site}
        path = self.warehouse.path(table, partition)
        try:
            stamp = stamp_of([path])
        except FileNotFoundError:
            return TABLES[table].empty()
        known = self._frames.get(str(path))
        if known is not None and stamp is not None and known[0] == stamp:
            return known[1]
        frame = self.warehouse.read(table, partition)
        found = TABLES[table].empty() if frame is None else frame
        if stamp is None:
            return found
        with self._lock:
            if len(self._frames) >= _KEPT_PARTITIONS:
                self._frames.pop(next(iter(self._frames)))
            self._frames[str(path)] = (stamp, found)
        return found

    def newest(self, table: str, sites: Sequence[str], *, by: str, limit: int) -> pl.DataFrame:
        """Return at most `limit` rows with the largest values of a time column, newest first.

        A row belongs to its partition's day or, noticed after midnight, to the day before: one
        more day than needed is read.
        """
        found: list[pl.DataFrame] = []
        height, days_beyond, last_day = 0, 0, None
        for day, site in self.days(table, sites):
            if height >= limit and day != last_day:
                days_beyond += 1
                if days_beyond > 1:
                    break
            last_day = day
            frame = self.rows(table, day, site)
            found.append(frame)
            height += frame.height
        frame = pl.concat([TABLES[table].empty(), *found])
        return frame.sort(by, descending=True, maintain_order=True).head(limit)
