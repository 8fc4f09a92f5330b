"""The benchmarks still run: smallest sizes, nothing timed."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_benchmark_prints_its_table() -> None:
    """`make bench` in its smoke form ends well and prints each table."""
    result = subprocess.run(
        [sys.executable, "-m", "leak_assets_tests.benchmarks", "--smoke"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for word in ("Parquet partitions", "× bare", "scenario-days", "node_top5_hit", "fire_flow"):
        assert word in result.stdout
