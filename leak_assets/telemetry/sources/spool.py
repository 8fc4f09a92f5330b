"""The spool: what a collector took from a stream, as whole files that wait to be taken.

`<spool>/<source>/<network>/<time of receipt>_<first day>_<last day>_<id>.parquet`. A message is
acknowledged to its broker after its file is durable here, and the file is removed after its
readings are in the raw log. What a row means is the matter of `readers.spooled`.
"""

import io
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from leak_assets.errors import InputError
from leak_assets.settings import Settings
from leak_assets.sites.site import Site, find_site
from leak_assets.system.files import publish, sync_folder
from leak_assets.telemetry.readers.parsed_file import FILE_SOURCE
from leak_assets.telemetry.readers.spooled import SPOOLED, ParsedMessages, parse_spooled

from .source import DeliveryLeftError

# A folder's name and a value of the column `source`; `file` is the landing zone's.
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_BATCH = re.compile(
    r"(\d{8}T\d{6}\.\d{6})Z_(\d{4}-\d\d-\d\d)_(\d{4}-\d\d-\d\d)_[0-9a-f]{16}\.parquet"
)
_RECEIVED = "%Y%m%dT%H%M%S.%f"


@dataclass(frozen=True)
class SpooledBatch:
    """Messages of one stream and network that were received together, a `Delivery`."""

    path: Path
    source: str
    network: str
    received_at: datetime
    first_day: date
    last_day: date

    @property
    def name(self) -> str:
        """`<source>/<file>`."""
        return f"{self.source}/{self.path.name}"

    @property
    def fingerprint(self) -> str:
        """The file's name: what it holds never changes."""
        return self.path.name

    def days(self) -> tuple[date, date]:
        """Return the first and last UTC day of its readings, as the file's name says."""
        return self.first_day, self.last_day


class Spool:
    """The waiting batches of one stream, a `Source`.

    Parameters
    ----------
    name
        Name of the stream, the value of the column `source`.
    settings
        Name the folder of all spools and the networks that there are.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = check_source_name(name)
        self.root = settings.spool_dir / name
        self._settings = settings
        self._unknown: dict[str, str] = {}
        self._problems: list[str] = []

    def write(
        self, network: str, rows: pl.DataFrame, days: tuple[date, date], received_at: datetime
    ) -> Path:
        """Put a batch into the spool; it is durable when this returns.

        Parameters
        ----------
        network
            Name of a network that there is.
        rows
            Readings and problems, as `readers.spooled.SPOOLED` says.
        days
            First and last UTC day of the readings.
        received_at
            When the batch was received.

        Raises
        ------
        OSError
            The disk refuses; nothing of the batch is there then.
        """
        first, last = days
        received = received_at.astimezone(UTC).strftime(_RECEIVED)
        folder = self.root / network
        path = folder / f"{received}Z_{first}_{last}_{secrets.token_hex(8)}.parquet"
        content = io.BytesIO()
        rows.select(SPOOLED.names()).write_parquet(content, compression="lz4")
        publish(path, content.getvalue())
        sync_folder(folder)
        return path

    def waiting(self) -> list[SpooledBatch]:
        """Return the batches of known networks, in the order of their receipt."""
        self._problems = []
        found = [batch for batch in self._batches() if not self._is_of_unknown(batch.network)]
        self._problems = [line for line in self._unknown.values() if line]
        return sorted(found, key=lambda batch: batch.path.name)

    def problems(self) -> list[str]:
        """Return a line for each network whose batches nobody takes, as last seen."""
        return self._problems

    def size(self) -> tuple[int, int]:
        """Return the number of batches that wait, and their bytes."""
        count = size = 0
        for batch in self._batches():
            try:
                size += batch.path.stat().st_size
            except FileNotFoundError:
                continue
            count += 1
        return count, size

    def read(self, delivery: SpooledBatch, site: Site) -> ParsedMessages:
        """Return the readings of a batch.

        Raises
        ------
        DeliveryLeftError
            It is gone or damaged.
        """
        try:
            return parse_spooled(
                delivery.path,
                source=self.name,
                network=delivery.network,
                layout=site.layout,
                contract=site.contract,
                received_at=delivery.received_at,
                refuses_impossible=not site.is_validated,
            )
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DeliveryLeftError(
                f"{delivery.name} cannot be read ({error}); it waits"
            ) from error

    def acknowledge(self, delivery: SpooledBatch) -> None:
        """Remove a batch: the raw log has what it held."""
        delivery.path.unlink(missing_ok=True)

    def _batches(self) -> Iterator[SpooledBatch]:
        for folder in _folders(self.root):
            for entry in _names(folder):
                if match := _BATCH.fullmatch(entry):
                    received, first, last = match.groups()
                    yield SpooledBatch(
                        folder / entry,
                        self.name,
                        folder.name,
                        datetime.fromisoformat(received).replace(tzinfo=UTC),
                        date.fromisoformat(first),
                        date.fromisoformat(last),
                    )

    def _is_of_unknown(self, network: str) -> bool:
        if network not in self._unknown:
            try:
                find_site(network, self._settings)
                self._unknown[network] = ""
            except InputError as error:
                self._unknown[network] = f"stream {self.name}, batches of {network} wait: {error}"
        return bool(self._unknown[network])


def spooled_sources(root: Path) -> list[str]:
    """Return the names of the streams that have a spool."""
    return [folder.name for folder in _folders(root) if SOURCE_NAME.fullmatch(folder.name)]


def check_source_name(name: str) -> str:
    """Return the name of a stream as it is.

    Raises
    ------
    InputError
        It cannot be a folder's name, or is the landing zone's.
    """
    if not SOURCE_NAME.fullmatch(name) or name == FILE_SOURCE:
        raise InputError(
            f"`{name}` cannot be the name of a stream",
            remedy="Use at most 64 small letters, digits, `.`, `_` and `-`, beginning with a"
            f" letter or digit; `{FILE_SOURCE}` is the landing zone's",
        )
    return name


def _folders(root: Path) -> list[Path]:
    return [root / name for name in _names(root) if (root / name).is_dir()]


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if not e.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
