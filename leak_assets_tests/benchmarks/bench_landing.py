"""What a look into the landing zone and the taking of a file cost after many deliveries."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.settings import Settings
from leak_assets.telemetry.ledger import LEDGER
from leak_assets.telemetry.raw_steps import take_deliveries
from leak_assets.telemetry.sources.landing import DONE, LandingFolder
from leak_assets.warehouse.schemas.telemetry import INGEST_LEDGER
from leak_assets_tests.benchmarks.figures import Figure, print_figures

NETWORK = "hanoi"
# A file a minute, as a collector that flushes so often would bring.
A_DAY = 1440
START = datetime(2025, 1, 1, tzinfo=UTC)
COMMAND = "python -m leak_assets_tests.benchmarks.bench_landing"


def _page(day: datetime) -> pl.DataFrame:
    """Return the ledger of a day."""
    received = [day + timedelta(minutes=n) for n in range(A_DAY)]
    columns = {
        "network": NETWORK,
        "source": "file",
        "file_path": [f"{NETWORK}/{t:%Y%m%dT%H%M}_Pressures.csv" for t in received],
        "file_sha256": [f"{int(t.timestamp()):064x}" for t in received],
        "received_at": received,
        "fingerprint": [f"512:{int(t.timestamp())}:{int(t.timestamp())}" for t in received],
        "size_bytes": 512,
        "format": "csv",
        "first_ts_utc": received,
        "last_ts_utc": received,
        "days": f"{day.date()}",
        "readings": 12,
        "accepted": 12,
        "quarantined": 0,
        "duplicates": 0,
        "status": "ingested",
        "ingested_at": received,
        "run_id": "bench",
    }
    return pl.DataFrame(columns).cast(dict(INGEST_LEDGER.polars_schema))


def _history(ctx: StepContext, deliveries: int) -> None:
    """Write the ledger of so many deliveries, and the folders of their files.

    Half a million files take minutes to make, and no look enters the folders: with the files in
    them the figures were the same (ADR 0010).
    """
    for number in range(deliveries // A_DAY):
        day = START + timedelta(days=number)
        page = _page(day)
        ctx.warehouse.write(LEDGER, day_partition(day.date(), NETWORK), page)
        (ctx.settings.landing_dir / NETWORK / DONE / f"{day.date()}").mkdir(parents=True)


def _land(ctx: StepContext, number: int) -> None:
    """Put a settled file of twelve readings into the landing zone."""
    now = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=number + 2)
    lines = [f"{now + timedelta(minutes=5 * n):%Y-%m-%d %H:%M:%S};30,25" for n in range(12)]
    path = ctx.settings.landing_dir / NETWORK / f"new{number}_Pressures.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["Timestamp;4", *lines, ""]))
    os.utime(path, (time.time() - 60, time.time() - 60))


def _milliseconds(action: Callable[[], object], times: int) -> tuple[float, float]:
    """Return median and maximum of an action."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds) * 1e3), max(seconds) * 1e3


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield the cost of looks and of taking files after a history of deliveries."""
    deliveries, times = (2 * A_DAY, 3) if smoke else (500_000 // A_DAY * A_DAY, 100)
    topic = f"Landing zone after {deliveries:,} deliveries"
    with tempfile.TemporaryDirectory() as folder:
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=Path(folder)))
        site = ctx.network(NETWORK)
        _history(ctx, deliveries)
        landing = LandingFolder(ctx.settings, ctx.warehouse)
        for waiting in (0, 1, 20):
            for number in range(waiting):
                _land(ctx, number)
            median, most = _milliseconds(landing.waiting, times)
            name = f"a look with {waiting} files waiting"
            yield Figure(topic, f"{name}, median", median, "ms", "≤ 50", COMMAND)
            yield Figure(topic, f"{name}, maximum", most, "ms", "", COMMAND)
        today = datetime.now(UTC).date()
        days = [today - timedelta(days=n) for n in range(3)]

        def take() -> None:
            take_deliveries(ctx, site, days)

        take()
        for name, first in (("a new file", 30), ("a file that came before", 30)):
            elapsed = []
            for number in range(first, first + min(times, 10)):
                _land(ctx, number)
                elapsed.append(_milliseconds(take, 1)[0])
            yield Figure(
                topic, f"taking {name}, median", float(np.median(elapsed)), "ms", "", COMMAND
            )


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
