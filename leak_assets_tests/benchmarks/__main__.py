"""All benchmarks, one table each: `make bench`, or `--smoke` for a run of seconds."""

import argparse
import sys

from leak_assets_tests.benchmarks import (
    bench_engine,
    bench_events,
    bench_hanoi,
    bench_scenarios,
    bench_warehouse,
)


def main() -> int:
    """Run every benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="smallest sizes: do they still run?")
    smoke = parser.parse_args().smoke
    for benchmark in (bench_warehouse, bench_engine, bench_scenarios, bench_hanoi, bench_events):
        benchmark.main(smoke=smoke)
    return 0


if __name__ == "__main__":
    sys.exit(main())
