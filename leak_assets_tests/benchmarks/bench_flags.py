"""How often sensors are flagged on towns that have no sensor faults: first days of their files.

    python -m leak_assets_tests.benchmarks.bench_flags --days 60 FOLDER…

A folder has files in the official format; without one a town as plain as exports can be is made.
"""

import argparse
import gzip
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from leak_assets.exchange.battledim.names import scada_files
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.quality.reasons import OF_DAYS, OF_READINGS, Reason, name_of
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets_tests.benchmarks.bench_ingest import write_exports
from leak_assets_tests.benchmarks.figures import Figure, print_figures

NETWORK = "l-town"
STEPS_A_DAY = 288
COMMAND = "python -m leak_assets_tests.benchmarks.bench_flags FOLDER…"
# Nobody hears of these: outliers mask nothing, the others say that nothing came.
_LEFT_OUT = (Reason.OUTLIER, Reason.INTERPOLATED, Reason.GAP)


def first_days(folder: Path, into: Path, days: int) -> date:
    """Copy the first days of the oldest files of a folder; return the first of them."""
    found = scada_files(folder)
    label = min(label for label, _ in found)
    first = ""
    for (own, _), path in found.items():
        if own == label:
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt") as file:
                lines = [line for line, _ in zip(file, range(days * STEPS_A_DAY + 1), strict=False)]
            (into / path.name.removesuffix(".gz")).write_text("".join(lines))
            first = lines[1][:10]
    return date.fromisoformat(first)


def flagged(name: str, files: Path, first: date, days: int) -> Iterator[Figure]:
    """Yield flags per 1,000 readings and sensor-days with a finding of one town."""
    topic = f"Flags of sound sensors: {name}, {days} days"
    with tempfile.TemporaryDirectory() as home:
        ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=Path(home)))
        site = ctx.site(NETWORK)
        deliver(sorted(files.glob("*_SCADA_*")), ctx.settings.landing_dir, NETWORK)
        partitions = day_partitions([first + timedelta(days=n) for n in range(days)], NETWORK)
        for step in ("raw_readings", "readings", "sensor_quality"):
            run_step(GRAPH.step(step), ctx, site, partitions)
        rows = ctx.warehouse.read_all("telemetry.sensor_quality_daily")
    readings = int(rows.select(pl.sum_horizontal("good", "suspect", "bad").sum()).item())
    yield Figure(topic, "sensor-days", rows.height, "", "", COMMAND)
    for reason in OF_READINGS:
        if reason not in _LEFT_OUT and (count := int(rows[name_of(reason)].sum())):
            what = f"`{name_of(reason)}` per 1,000 readings"
            yield Figure(topic, what, 1e3 * count / readings, "", "", COMMAND)
    for reason in OF_DAYS:
        if count := int((rows["reasons"] & int(reason)).ne(0).sum()):
            yield Figure(topic, f"sensor-days with `{name_of(reason)}`", count, "", "", COMMAND)
    of_readings = [name_of(r) for r in OF_READINGS if r not in _LEFT_OUT]
    quiet = rows.select(pl.sum_horizontal(of_readings).sum()).item() == 0
    if quiet and not (rows["reasons"] & sum(map(int, OF_DAYS))).ne(0).any():
        yield Figure(topic, "flags and findings", 0, "", "", COMMAND)


def figures(
    *, smoke: bool = False, days: int = 60, folders: Sequence[Path] = ()
) -> Iterator[Figure]:
    """Yield the flags of each town."""
    days = 2 if smoke else days
    for folder in folders:
        with tempfile.TemporaryDirectory() as files:
            first = first_days(folder, Path(files), days)
            yield from flagged(folder.name, Path(files), first, days)
    if not folders:
        with tempfile.TemporaryDirectory() as files:
            write_exports(Path(files), days)
            yield from flagged("exports of sines", Path(files), date(2018, 1, 1), days)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="towns in the official format")
    parser.add_argument("--days", type=int, default=60, help="of each")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    print_figures(figures(smoke=options.smoke, days=options.days, folders=options.folders))
