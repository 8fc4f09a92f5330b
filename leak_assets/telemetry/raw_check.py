"""Whether the raw log still has the days that the ledger says arrived, and how to bring them back.

Nothing is mended here: delivering a file again does that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from leak_assets.pipeline.context import day_partition
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.partition_files import DamagedPartitionError

from .ledger import LEDGER, days_as_text, days_from_text
from .raw_steps import RAW
from .sources.landing import DONE

_NAMED = 5


@dataclass(frozen=True)
class LostDays:
    """Days of a network whose raw readings are gone or damaged.

    Parameters
    ----------
    damaged
        Files of the lake to delete before the days are delivered again.
    again
        What to deliver: folders of the landing zone that hold the files still, else files by
        name and hash.
    """

    network: str
    days: tuple[date, ...]
    damaged: tuple[Path, ...]
    again: tuple[str, ...]

    def __str__(self) -> str:
        """Return what is lost and the remedy in one line."""
        files = _list(str(path) for path in self.damaged)
        delete = f"delete {files}, then " if files else ""
        return (
            f"{self.network}: {days_as_text(self.days)} arrived, by the ledger, and cannot be read"
            f" in {RAW}; {delete}deliver again: leak-assets ingest {_list(self.again, ' ')}"
            f" --network {self.network}"
        )


def lost_days(warehouse: Warehouse, landing_dir: Path) -> list[LostDays]:
    """Return the networks of which the ledger knows days that the raw log has not.

    Parameters
    ----------
    warehouse
        The lake.
    landing_dir
        The landing zone, where taken files are kept.
    """
    try:
        ledger = warehouse.read_all(LEDGER).filter(pl.col("status") == "ingested")
    except DamagedPartitionError:
        # Told of the ledger itself; without it nothing can be said of the log.
        return []
    found = []
    for (network,), rows in ledger.sort("network").group_by("network", maintain_order=True):
        sources: dict[date, list[int]] = {}
        for number, text in enumerate(rows["days"]):
            for day in days_from_text(text):
                sources.setdefault(day, []).append(number)
        damaged: list[Path] = []
        lost = [day for day in sorted(sources) if _is_lost(warehouse, str(network), day, damaged)]
        if lost:
            numbers = sorted({number for day in lost for number in sources[day]})
            again = dict.fromkeys(_where(landing_dir, row) for row in rows[numbers].to_dicts())
            found.append(LostDays(str(network), tuple(lost), tuple(damaged), tuple(again)))
    return found


def _is_lost(warehouse: Warehouse, network: str, day: date, damaged: list[Path]) -> bool:
    partition = day_partition(day, network)
    try:
        return warehouse.read(RAW, partition) is None
    except DamagedPartitionError:
        damaged.append(warehouse.path(RAW, partition))
        return True


def _where(landing_dir: Path, row: dict[str, object]) -> str:
    """Return the folder that a taken file lies in, or the file's name and hash."""
    folder, _, name = str(row["file_path"]).partition("/")
    received = str(row["received_at"])[:10]
    done = landing_dir / folder / DONE / received
    return str(done) if (done / name).exists() else f"{name} (SHA-256 {row['file_sha256']})"


def _list(items: Iterable[str], separator: str = ", ") -> str:
    everything = list(items)
    rest = len(everything) - _NAMED
    return separator.join(everything[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
