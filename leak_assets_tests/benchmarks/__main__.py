"""All benchmarks: `make bench` writes `docs/figures.md`.

`--smoke` runs them in seconds, to see that they still run.
"""

import argparse
import sys
from pathlib import Path

from leak_assets_tests.benchmarks import (
    bench_engine,
    bench_events,
    bench_hanoi,
    bench_household,
    bench_incidents,
    bench_ingest,
    bench_landing,
    bench_latency,
    bench_plant,
    bench_scenarios,
    bench_streams,
    bench_warehouse,
)
from leak_assets_tests.benchmarks.figures import PAGE, Figure, print_figures, write_page

ALL = (
    bench_latency,
    bench_plant,
    bench_household,
    bench_hanoi,
    bench_events,
    bench_engine,
    bench_scenarios,
    bench_streams,
    bench_warehouse,
    bench_landing,
    bench_ingest,
    bench_incidents,
)


def main() -> int:
    """Run every benchmark, print its figures as they come and write the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="smallest sizes: do they still run?")
    parser.add_argument("--out", type=Path, help="page to write (default: docs/figures.md)")
    options = parser.parse_args()
    found: list[Figure] = []
    for benchmark in ALL:
        rows = list(benchmark.figures(smoke=options.smoke))
        print_figures(rows)
        found += rows
    # Figures of a smoke run mean nothing: they are written only where that is asked for.
    if options.out or not options.smoke:
        write_page(found, options.out or PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
