"""Whether a benchmark still runs: its smallest size, and the words that its figures have.

Shared by two test files, so that two processes can take them; nothing is timed here.
"""

from pathlib import Path

from leak_assets_tests.benchmarks.__main__ import ALL
from leak_assets_tests.benchmarks.bench_streams import kinds
from leak_assets_tests.benchmarks.figures import write_part
from leak_assets_tests.browser import CHROMIUM

# With processes of their own: daemon, server, watch, collector.
LIVE = {
    "latency": ("drop to the last window in SQL", "step residuals"),
    "api": ("percentile 95",),
    "dashboard": ("first view, median",) if CHROMIUM else (),
    "plant_live": ("reading to anomaly in the API",),
    "streams": tuple(f"Streams: {kind.name}" for kind in kinds()),
}
COMPUTED = {
    "plant": ("readings judged",),
    "household": ("false alarms of the monitor", "evaluation on a new reading"),
    "hanoi": ("node_top5_hit",),
    "events": ("fire_flow",),
    "lifecycle": ("two against one",),
    "drift": ("months",),
    "engine": ("× bare",),
    "signatures": ("left to EPANET",),
    "scenarios": ("scenario-days",),
    "warehouse": ("Parquet partitions",),
    "landing": ("a look with 20 files waiting",),
    "ingest": ("against plain DuckDB",),
    "flags": ("sensor-days",),
    "incidents": ("invariants hold",),
}


def page_of(name: str, folder: Path, **more: object) -> str:
    """Return the page of figures of a benchmark alone."""
    page = folder / "figures.md"
    rows = list(ALL[name].figures(smoke=True, **more))
    write_part(name, rows, 1.0, page, order=list(ALL))
    return page.read_text("utf-8")
