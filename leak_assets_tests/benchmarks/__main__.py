"""All benchmarks: `make bench` writes `docs/figures.md`, part by part as they end.

`--smoke` runs them in seconds, to see that they still run.
"""

import argparse
import sys
import time
from pathlib import Path

from leak_assets_tests.benchmarks import (
    bench_api,
    bench_dashboard,
    bench_drift,
    bench_engine,
    bench_events,
    bench_flags,
    bench_hanoi,
    bench_household,
    bench_incidents,
    bench_ingest,
    bench_landing,
    bench_latency,
    bench_lifecycle,
    bench_plant,
    bench_plant_live,
    bench_scenarios,
    bench_signatures,
    bench_streams,
    bench_warehouse,
)
from leak_assets_tests.benchmarks.figures import PAGE, print_figures, write_part

ALL = {
    benchmark.__name__.rpartition("bench_")[2]: benchmark
    for benchmark in (
        bench_latency,
        bench_api,
        bench_dashboard,
        bench_plant,
        bench_plant_live,
        bench_household,
        bench_hanoi,
        bench_events,
        bench_lifecycle,
        bench_drift,
        bench_engine,
        bench_signatures,
        bench_scenarios,
        bench_streams,
        bench_warehouse,
        bench_landing,
        bench_ingest,
        bench_flags,
        bench_incidents,
    )
}


def main() -> int:
    """Run benchmarks, print their figures as they come and write each one's part of the page."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(ALL)}; else all")
    parser.add_argument("--smoke", action="store_true", help="smallest sizes: do they still run?")
    parser.add_argument("--out", type=Path, help="page to write (default: docs/figures.md)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(ALL):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(ALL)}")
    for name in options.names or ALL:
        begin = time.monotonic()
        rows = list(ALL[name].figures(smoke=options.smoke))
        print_figures(rows)
        # Figures of a smoke run mean nothing: they are written only where that is asked for.
        if options.out or not options.smoke:
            took_s = time.monotonic() - begin
            write_part(name, rows, took_s, options.out or PAGE, order=list(ALL))
    return 0


if __name__ == "__main__":
    sys.exit(main())
