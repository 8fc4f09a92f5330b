"""`models drift` on a town of ten days: what it prints, and the exit code of a drift."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings

pytestmark = pytest.mark.slow


def test_drift_is_told_with_what_to_do_and_an_exit_code(
    ten_days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day without drift: 0 and no advice; sensors that are off by metres: 1 and the way on."""
    home = tmp_path / "home"
    shutil.copytree(ten_days, home)
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(home))
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="test")
    days = ctx.warehouse.partitions("features.windows", network="hanoi")
    filled = [d for d in days if (frame := ctx.warehouse.read("features.windows", d)) is not None
              and frame.height]  # fmt: skip
    first = ctx.warehouse.require("features.windows", filled[0], remedy="ingest")
    # A quiet week: the first day with windows, again and again; then one on which all is off.
    begin = first["window_start"].min().date()
    for number, day in enumerate(filled[1:], start=1):
        moved = pl.col("window_start", "window_end").dt.offset_by(f"{number}d")
        rows = first.with_columns(moved)
        assert day["date"] > begin.isoformat()
        ctx.warehouse.write("features.windows", day, rows)
    run = CliRunner().invoke
    quiet = run(app, ["models", "drift", "--network", "hanoi"])
    assert quiet.exit_code == 0, quiet.output
    assert "farther than weeks differ" not in quiet.output
    for number, day in enumerate(filled[-3:], start=len(filled) - 3):
        moved = pl.col("window_start", "window_end").dt.offset_by(f"{number}d")
        rows = first.with_columns(moved, pl.col("mean") + 20)
        ctx.warehouse.write("features.windows", day, rows)
    loud = run(app, ["models", "drift", "--network", "hanoi"])
    assert loud.exit_code == 1, loud.output
    told = " ".join(loud.output.split())
    assert "moved farther than weeks differ by: a leak that runs, a sensor, or the season" in told
    assert "`reference_first_day` in var/networks/hanoi.yaml" in told
    listed = run(app, ["models", "drift", "--network", "hanoi", "--json"])
    rows_told = json.loads(listed.output)
    assert listed.exit_code == 1
    assert rows_told[0]["kind"] == "all"
    assert len(rows_told) > 30
