"""Writes and reads of the lake against the plain DuckDB pattern: one file, retry on a lock."""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.catalogue import build_catalogue
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.benchmarks.figures import Figure, print_figures

WRITERS, READERS, ROWS = 4, 3, 5000


def _frame(writer: int) -> pl.DataFrame:
    schema = TABLES["network.nodes"].polars_schema
    return pl.DataFrame(
        {
            "network": [f"w{writer}"] * ROWS,
            "node_id": [f"n{i}" for i in range(ROWS)],
            "node_type": ["junction"] * ROWS,
            "elevation_m": [float(i) for i in range(ROWS)],
            "base_demand_m3_per_s": [0.0] * ROWS,
            "x": [0.0] * ROWS,
            "y": [0.0] * ROWS,
        },
        schema=schema,
    )


def _lake_writer(root: Path, writer: int, seconds: float, counts: Any) -> None:
    warehouse, frame = Warehouse(root), _frame(writer)
    deadline, done = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        changed = frame.with_columns(x=pl.lit(float(done)))
        warehouse.write("network.nodes", {"network": f"w{writer}"}, changed)
        done += 1
    counts.append(("write", done, 0))


def _lake_reader(root: Path, _reader: int, seconds: float, counts: Any) -> None:
    deadline, done, failed = time.monotonic() + seconds, 0, 0
    while time.monotonic() < deadline:
        try:
            with duckdb.connect(root / "leak.duckdb", read_only=True) as connection:
                connection.execute("SELECT count(*), max(x) FROM network.nodes").fetchall()
            done += 1
        except duckdb.Error:
            failed += 1
    counts.append(("read", done, failed))


def _duckdb_writer(root: Path, writer: int, seconds: float, counts: Any) -> None:
    frame = _frame(writer)
    deadline, done, failed = time.monotonic() + seconds, 0, 0
    while time.monotonic() < deadline:
        try:
            with duckdb.connect(root / "plain.duckdb") as connection:
                connection.register("frame", frame.to_arrow())
                connection.execute("DELETE FROM nodes WHERE network = ?", [f"w{writer}"])
                connection.execute("INSERT INTO nodes SELECT * FROM frame")
            done += 1
        except duckdb.Error:
            failed += 1
            time.sleep(0.05)
    counts.append(("write", done, failed))


def _duckdb_reader(root: Path, _reader: int, seconds: float, counts: Any) -> None:
    deadline, done, failed = time.monotonic() + seconds, 0, 0
    while time.monotonic() < deadline:
        try:
            with duckdb.connect(root / "plain.duckdb", read_only=True) as connection:
                connection.execute("SELECT count(*), max(x) FROM nodes").fetchall()
            done += 1
        except duckdb.Error:
            failed += 1
            time.sleep(0.05)
    counts.append(("read", done, failed))


def _measure(
    writer: Callable[..., None],
    reader: Callable[..., None],
    root: Path,
    seconds: float,
    counted: tuple[int, int],
) -> dict[str, tuple[int, int]]:
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        counts = manager.list()
        writers, readers = counted
        jobs = [(writer, n) for n in range(writers)] + [(reader, n) for n in range(readers)]
        processes = [spawn.Process(target=f, args=(root, n, seconds, counts)) for f, n in jobs]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        return {
            kind: (
                sum(c[1] for c in counts if c[0] == kind),
                sum(c[2] for c in counts if c[0] == kind),
            )
            for kind in ("write", "read")
        }


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield writes and reads per second and failures of both patterns."""
    seconds = 1.0 if smoke else 10.0
    writers, readers = (1, 1) if smoke else (WRITERS, READERS)
    topic = f"Warehouse: {writers} writers and {readers} readers, {seconds:.0f} s"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        Warehouse(root).ensure_schemas()
        build_catalogue(root)
        with duckdb.connect(root / "plain.duckdb") as connection:
            connection.register("frame", _frame(0).clear().to_arrow())
            connection.execute("CREATE TABLE nodes AS SELECT * FROM frame")
        for name, writer, reader, reach in (
            ("Parquet partitions, views", _lake_writer, _lake_reader, "0"),
            ("one DuckDB file, retry", _duckdb_writer, _duckdb_reader, ""),
        ):
            found = _measure(writer, reader, root, seconds, (writers, readers))
            for kind, (done, failed) in found.items():
                yield Figure(topic, f"{name}: {kind}s", done / seconds, "1/s")
                yield Figure(topic, f"{name}: failed {kind}s", float(failed), reach=reach)


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
