"""Deliveries of a site as they come, each once, for a process that judges them before a run does.

Nothing is taken: what waits is read where it waits, and what a run took meanwhile is read from the
raw log. What the readings mean is the matter of who follows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from leak_assets.pipeline.context import day_partition
from leak_assets.settings import Settings
from leak_assets.sites.site import Site
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.telemetry import QUARANTINE, RAW_READINGS

from .ledger import LEDGER, days_from_text
from .sources.every import EverySource
from .sources.source import Delivery, DeliveryLeftError

ORDER_SLACK = timedelta(minutes=2)
"""Two sources may publish in another order than they received; so long it is looked for."""


@dataclass(frozen=True)
class Seen:
    """Which deliveries were followed already.

    Parameters
    ----------
    through
        Receipt of the newest; None where none was.
    recent
        Receipt by key, of those that are not older than `ORDER_SLACK` before `through`.
    """

    through: datetime | None = None
    recent: Mapping[str, datetime] = field(default_factory=dict)

    def has(self, key: str, received_at: datetime) -> bool:
        """Whether a delivery was followed."""
        is_old = self.through is not None and received_at < self.through - ORDER_SLACK
        return is_old or key in self.recent

    def and_also(self, key: str, received_at: datetime) -> "Seen":
        """Return this with one more delivery."""
        through = received_at if self.through is None else max(self.through, received_at)
        recent = {k: at for k, at in self.recent.items() if at >= through - ORDER_SLACK}
        return Seen(through, recent | {key: received_at})


@dataclass(frozen=True)
class Arrived:
    """A delivery that was not followed yet.

    Parameters
    ----------
    key
        Its name and fingerprint.
    readings
        Rows of `telemetry.raw_readings`.
    quarantine
        Rows of `telemetry.quarantine`.
    """

    key: str
    received_at: datetime
    readings: pl.DataFrame
    quarantine: pl.DataFrame


class Follower:
    """Looks for new deliveries of a site.

    Parameters
    ----------
    settings
        Name landing zone and spools.
    warehouse
        Holds ledger and raw log.
    site
        Whose deliveries.
    """

    def __init__(self, settings: Settings, warehouse: Warehouse, site: Site) -> None:
        self._warehouse = warehouse
        self._site = site
        self._every = EverySource(settings, warehouse)
        self._pages: dict[Path, tuple[int, pl.DataFrame]] = {}
        self.oldest_waiting: datetime | None = None
        self.waiting = 0

    def arrivals(self, seen: Seen) -> Iterator[Arrived]:
        """Yield what was not followed, in the order of receipt.

        A delivery is in its source until after the ledger has it, so that looking at the source
        first and at the ledger second finds each. One that a run takes between the two looks is
        found in the ledger by the next call.
        """
        waiting = [d for d in self._every.waiting() if d.network == self._site.name]
        self.oldest_waiting = min((d.received_at for d in waiting), default=None)
        self.waiting = len(waiting)
        new: list[tuple[datetime, str, Delivery | dict[str, object]]] = []
        keys = set()
        for delivery in waiting:
            key = f"{delivery.name}#{delivery.fingerprint}"
            keys.add(key)
            if not seen.has(key, delivery.received_at):
                new.append((delivery.received_at, key, delivery))
        new += [one for one in self._taken(seen) if one[1] not in keys]
        for received_at, key, found in sorted(new, key=lambda one: one[:2]):
            arrived = (
                self._logged(received_at, key, found)
                if isinstance(found, dict)
                else self._read(received_at, key, found)
            )
            if arrived is not None:
                yield arrived

    def _read(self, received_at: datetime, key: str, delivery: Delivery) -> Arrived | None:
        try:
            parsed = self._every.read(delivery, self._site)
        except DeliveryLeftError:
            return None
        columns = RAW_READINGS.polars_schema.names()
        days = [parsed.readings_of(day).select(columns) for day in parsed.days]
        readings = pl.concat([RAW_READINGS.empty(), *days])
        return Arrived(key, received_at, readings, parsed.quarantine)

    def _taken(self, seen: Seen) -> list[tuple[datetime, str, dict[str, object]]]:
        """Return rows of the ledger that were not followed."""
        if seen.through is None:
            return []
        since = seen.through - ORDER_SLACK
        found = []
        for day in {since.date(), seen.through.date(), datetime.now(UTC).date()}:
            for row in self._page(day, since).iter_rows(named=True):
                key = f"{row['file_path']}#{row['fingerprint']}"
                if not seen.has(key, row["received_at"]):
                    found.append((row["received_at"], key, row))
        return found

    def _page(self, day: date, since: datetime) -> pl.DataFrame:
        partition = day_partition(day, self._site.name)
        path = self._warehouse.path(LEDGER, partition)
        try:
            changed_ns = path.stat().st_mtime_ns
        except FileNotFoundError:
            return pl.DataFrame()
        version, rows = self._pages.get(path, (0, pl.DataFrame()))
        if version != changed_ns:
            page = self._warehouse.read(LEDGER, partition)
            rows = pl.DataFrame() if page is None else page.filter(pl.col("status") == "ingested")
            self._pages = {path: (changed_ns, rows), **dict(list(self._pages.items())[-1:])}
        return rows.filter(pl.col("received_at") >= since) if rows.height else rows

    def _logged(self, received_at: datetime, key: str, row: dict[str, object]) -> Arrived:
        """Return the readings of a delivery that a run took, from the raw log."""
        frames = [
            frame.filter(pl.col("source") == row["source"], pl.col("received_at") == received_at)
            for day in days_from_text(str(row["days"]))
            if (
                frame := self._warehouse.read(
                    RAW_READINGS.full_name, day_partition(day, self._site.name)
                )
            )
            is not None
        ]
        readings = pl.concat(frames) if frames else RAW_READINGS.empty()
        return Arrived(key, received_at, readings, QUARANTINE.empty())
