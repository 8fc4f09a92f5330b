"""What a source of telemetry is: three methods, whatever stands behind them.

A folder of files is one, a stream or a broker another. How deliveries are grouped into runs is
the matter of `intake`, what is written of them that of `raw_steps`.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol, TypeVar

import polars as pl

from leak_assets.sites.site import Site


class Delivery(Protocol):
    """Something that came at one time and is taken as a whole or not at all.

    A file, or the messages of a stream up to some length or age.
    """

    @property
    def source(self) -> str:
        """Name of its source, the value of the column `source`."""

    @property
    def network(self) -> str:
        """Network that its readings are of."""

    @property
    def name(self) -> str:
        """What tables and messages call it: file below the landing zone, name of a stream."""

    @property
    def fingerprint(self) -> str:
        """What differs for another content, without reading it: attempts are counted by it."""

    @property
    def received_at(self) -> datetime:
        """When it came to the platform, UTC: the same at each look, never in the future.

        Of corrections of a reading the one that was received last counts.
        """

    def days(self) -> tuple[date, date]:
        """Return the first and last UTC day that it can hold readings of."""


class DeliveredReadings(Protocol):
    """What a source makes of one delivery."""

    @property
    def sha256(self) -> str:
        """Hash of the content."""

    @property
    def size_bytes(self) -> int:
        """Size of the content."""

    @property
    def format(self) -> str:
        """Format of the content, for the ledger."""

    @property
    def quarantine(self) -> pl.DataFrame:
        """Rows of `telemetry.quarantine`."""

    @property
    def accepted(self) -> int:
        """Number of readings that can be used."""

    @property
    def quarantined(self) -> int:
        """Number of values that cannot."""

    @property
    def days(self) -> list[date]:
        """UTC days with at least one reading that can be used, in order."""

    @property
    def first_ts(self) -> datetime | None:
        """Time of the earliest such reading."""

    @property
    def last_ts(self) -> datetime | None:
        """Time of the latest such reading."""

    def readings_of(self, day: date) -> pl.DataFrame:
        """Return the readings of one UTC day as rows of `telemetry.raw_readings`."""


D = TypeVar("D", bound=Delivery)


class Source(Protocol[D]):
    """Where deliveries come from.

    A delivery waits until it is acknowledged, however often the process is killed in between:
    `acknowledge` is called after its readings and its row of the ledger are durable. What is
    read again after such an end has the same rows, because they are merged by `source` and
    `message_id`. `source_contract.violations` says where a source does otherwise.
    """

    @property
    def name(self) -> str:
        """Value of the column `source`."""

    def waiting(self) -> Sequence[D]:
        """Return the deliveries that were not acknowledged, in the order of their receipt.

        Called several times a second: its cost follows what waits, not what ever came.
        """

    def read(self, delivery: D, site: Site) -> DeliveredReadings:
        """Return the readings of a delivery.

        What is wrong with its content is told in its quarantine.

        Raises
        ------
        DeliveryLeftError
            It cannot be read now (gone, changed since, no permission), and stays as it is.
        """

    def acknowledge(self, delivery: D) -> None:
        """Take note that a delivery has arrived for good; for a second time without effect."""


class DeliveryLeftError(Exception):
    """A delivery cannot be read now; the message names it and says why."""
