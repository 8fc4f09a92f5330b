"""Two years of L-Town from official CSV to validated readings, against plain DuckDB.

Plain DuckDB reads the same files and unpivots them into one table in memory: no position, no
quarantine, no raw log, no judgement, nothing on disk. Both run in a process of their own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from leak_assets.exchange.battledim.names import scada_file
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets_tests.benchmarks.figures import Figure, print_figures

NETWORK = "l-town"
FIRST = date(2018, 1, 1)
# Decimals of the official files, usual values and their spread in the units of the files.
_VALUES = {
    "pressure": (2, 45.0, 2.0),
    "flow": (2, 80.0, 20.0),
    "level": (2, 3.0, 0.5),
    "demand": (2, 9.0, 4.0),
}
COMMAND = "python -m leak_assets_tests.benchmarks.bench_ingest"


def write_exports(folder: Path, days: int) -> int:
    """Write exports of all sensors of L-Town in the official format; return how many values.

    A file for each year and quantity, as BattLeDIM has them, gzipped.
    """
    layout = StepContext.local(Settings(LEAK_ASSETS_HOME=folder)).site(NETWORK).layout
    rng = np.random.default_rng(0)
    count = 0
    for start in range(0, days, 365):
        steps = min(365, days - start) * 288
        begin = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) + timedelta(days=start)
        clock = [f"{begin + timedelta(minutes=5 * n):%Y-%m-%d %H:%M:%S}" for n in range(steps)]
        for quantity, (decimals, usual, spread) in _VALUES.items():
            sensors = layout.ids(quantity)
            swing = np.sin(np.arange(steps) * 2 * np.pi / 288)[:, None]
            noise = rng.standard_normal((steps, len(sensors)))
            values = np.abs(usual + spread * (swing + 0.2 * noise))
            frame = pl.DataFrame({"Timestamp": clock, **dict(zip(sensors, values.T, strict=True))})
            text = frame.write_csv(separator=";", decimal_comma=True, float_precision=decimals)
            name = scada_file(str(begin.year), quantity, compressed=True)
            subprocess.run(
                ["gzip", "-1"],
                input=text.encode(),
                stdout=(folder / name).open("wb"),
                check=True,
            )
            count += values.size
    return count


def plain(folder: Path) -> duckdb.DuckDBPyConnection:
    """Read and unpivot all exports with DuckDB."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE r (ts TIMESTAMP, sensor VARCHAR, quantity VARCHAR, v DOUBLE)")
    for path in sorted(folder.glob("*_SCADA_*.csv.gz")):
        quantity = path.name.split("_")[-1].partition(".")[0]
        connection.execute(
            "INSERT INTO r SELECT Timestamp, sensor, ?, v FROM (UNPIVOT (SELECT * FROM"
            f" read_csv('{path}', delim=';', decimal_separator=',', header=true))"
            " ON COLUMNS(* EXCLUDE Timestamp) INTO NAME sensor VALUE v)",
            [quantity],
        )
    return connection


def plain_tables(folder: Path) -> None:
    """Write what `plain` makes as Parquet, a file for each day, twice: raw and validated.

    The files alone, without a judgement, a position, a hash or an fsync: what is left of the way
    to readings for the platform's own work.
    """
    connection = plain(folder)
    for table in ("raw", "readings"):
        connection.execute(
            f"COPY (SELECT *, ts::DATE AS day FROM r) TO '{folder / table}'"
            " (FORMAT parquet, COMPRESSION zstd, PARTITION_BY day)"
        )


def platform(folder: Path, days: int) -> None:
    """Deliver all exports and bring their days to validated readings."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=folder / "home"))
    site = ctx.site(NETWORK)
    deliver(sorted(folder.glob("*_SCADA_*.csv.gz")), ctx.settings.landing_dir, NETWORK)
    partitions = day_partitions([FIRST + timedelta(days=n) for n in range(days)], NETWORK)
    for step in ("raw_readings", "readings"):
        run_step(GRAPH.step(step), ctx, site, partitions)


def _measured(what: str, folder: Path, days: int) -> dict[str, float]:
    command = [sys.executable, "-m", __spec__.name, what, str(folder), str(days)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _report(what: str, folder: Path, days: int) -> None:
    started = time.perf_counter()
    match what:
        case "plain":
            plain(folder)
        case "plain_tables":
            plain_tables(folder)
        case _:
            platform(folder, days)
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    report = {
        "wall_s": time.perf_counter() - started,
        "cpu_s": sum(u.ru_utime + u.ru_stime for u in used),
        # Of the largest process.
        "memory_gib": max(u.ru_maxrss for u in used) / 2**20,
    }
    sys.stdout.write(json.dumps(report))


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield time, processor time and memory of both, and their ratios."""
    days = 2 if smoke else 730
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = write_exports(folder, days)
        topic = f"Files to validated readings: {values:,} values of L-Town in official CSV"
        duck, tables, ours = (
            _measured(what, folder, days) for what in ("plain", "plain_tables", "platform")
        )
    for name, found in (
        ("plain DuckDB", duck),
        ("plain DuckDB, written twice by day", tables),
        ("to validated readings", ours),
    ):
        yield Figure(topic, f"{name}, wall", found["wall_s"], "s", "", COMMAND)
        yield Figure(topic, f"{name}, processor time", found["cpu_s"], "s", "", COMMAND)
    for name, key in (("wall", "wall_s"), ("processor time", "cpu_s")):
        reach = "≤ 4" if key == "wall_s" else ""
        yield Figure(
            topic, f"{name} against plain DuckDB", ours[key] / duck[key], "×", reach, COMMAND
        )
    yield Figure(
        topic, "wall against plain DuckDB, written twice by day", ours["wall_s"] / tables["wall_s"],
        "×", "", COMMAND,
    )  # fmt: skip
    yield Figure(topic, "memory of the largest process", ours["memory_gib"], "GiB", "≤ 3", COMMAND)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        _report(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print_figures(figures(smoke="--smoke" in sys.argv))
