"""Summaries of a plant while anomalies come: one for each interval, written beside the watch.

The watch never waits for a language model: a thread asks it, and what comes meanwhile is told in
the next text. Which anomalies there are is `plant.live_store`'s matter.
"""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl

from leak_assets.settings import Settings
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.plant_live import LIVE_ANOMALIES, LIVE_SUMMARIES

from .plant_interval import interval_facts, interval_row

TABLE = LIVE_SUMMARIES.full_name


def told_through(warehouse: Warehouse, site: str) -> datetime | None:
    """Return when the last anomaly was noticed that a live text tells of, or None."""
    at = warehouse.scan(TABLE, site=site).select(pl.col("noticed_at").max()).collect().item()
    return at if isinstance(at, datetime) else None


class LiveSummaries:
    """Tells the anomalies of a plant, at the latest `SUMMARY_INTERVAL` after the first of them.

    Parameters
    ----------
    warehouse
        Takes the texts.
    settings
        Language model, interval, how many anomalies are listed.
    site
        Name of the plant.
    untold
        Rows of `plant.live_anomalies` that no text tells of yet.
    say
        Called with a line for each text.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        settings: Settings,
        site: str,
        untold: pl.DataFrame,
        say: Callable[[str], None],
    ) -> None:
        self._warehouse = warehouse
        self._settings = settings
        self._site = site
        self._untold = untold
        self._say = say
        self._writer: threading.Thread | None = None
        self._not_written: pl.DataFrame | None = None
        self.written: Counter[str] = Counter()
        self.failures = 0

    @property
    def untold(self) -> int:
        """How many anomalies no text tells of, those that are being told not among them."""
        left = self._not_written
        return self._untold.height + (0 if left is None else left.height)

    def add(self, anomalies: pl.DataFrame, noticed_at: datetime) -> None:
        """Take note of anomalies, rows of `plant.anomalies`."""
        new = anomalies.with_columns(noticed_at=pl.lit(noticed_at, pl.Datetime("us", "UTC")))
        self._untold = pl.concat([self._untold, new.select(LIVE_ANOMALIES.polars_schema.names())])

    def tick(self, now: datetime, *, at_once: bool = False) -> None:
        """Begin a text where one is due and none is being written.

        Parameters
        ----------
        at_once
            Whether the interval has not to be over.
        """
        if self._writer is not None and self._writer.is_alive():
            return
        if self._not_written is not None:
            self._untold = pl.concat([self._not_written, self._untold])
            self._not_written = None
        if self._untold.is_empty():
            return
        interval = timedelta(seconds=self._settings.summary_interval_s)
        if not at_once and now < self._untold["noticed_at"].min() + interval:  # type: ignore[operator]
            return
        # What is known last of a dropout that was told while it lasted.
        due = self._untold.unique("anomaly_id", keep="last", maintain_order=True)
        self._untold = LIVE_ANOMALIES.empty()
        self._writer = threading.Thread(target=self._write, args=(due,), daemon=True)
        self._writer.start()

    def finish(self, seconds: float) -> None:
        """Wait for the text that is being written, at most so long; a restart tells the rest."""
        if self._writer is not None:
            self._writer.join(seconds)

    def _write(self, due: pl.DataFrame) -> None:
        facts = interval_facts(due, self._settings)
        row = interval_row(
            LIVE_SUMMARIES,
            due,
            facts,
            self._site,
            self._settings,
            noticed_at=due.get_column("noticed_at").max(),
        )
        day = row.item(0, "first_at").date().isoformat()
        partition = {"date": day, "site": self._site}
        before = self._warehouse.read(TABLE, partition)
        page = row if before is None else pl.concat([before, row])
        page = page.unique("first_at", keep="last").sort("first_at")
        try:
            self._warehouse.write(TABLE, partition, page)
        except OSError as error:
            self._say(f"a summary could not be written ({error.strerror or error})")
            self._not_written = due
            self.failures += 1
            return
        writer, reason = row.item(0, "generated_by"), row.item(0, "fallback_reason")
        self.written[writer] += 1
        self._say(
            f"summary of {due.height} anomalies by {writer}" + (f" ({reason})" if reason else "")
        )
