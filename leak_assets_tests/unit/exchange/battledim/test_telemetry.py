"""The official CSV set: format, round trip, years."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from leak_assets.exchange.battledim.telemetry import write_scada_csv


def test_csv_round_trip(run, tmp_path: Path) -> None:
    """`;`, decimal comma, 2 decimals, layout order and units: reading back gives the values."""
    files = write_scada_csv(run.wide(), run.layout, tmp_path)
    assert [f.name for f in files] == [
        "2019_SCADA_Pressures.csv",
        "2019_SCADA_Flows.csv",
        "2019_SCADA_Levels.csv",
    ]
    text = files[1].read_text()
    header, first = text.splitlines()[:2]
    assert header == "Timestamp;" + ";".join(run.layout.ids("flow"))
    assert first.startswith("2019-01-07 00:00:00;")
    assert "." not in first
    back = pl.read_csv(text.replace(",", ".").encode(), separator=";")
    column = run.layout.ids("flow")[0]
    assert back[column].to_numpy() == pytest.approx(
        run.wide()[f"flow/{column}"].to_numpy() * 3600, abs=0.0051
    )
    assert back.height == 288


def test_gzip_null_and_label(run, tmp_path: Path) -> None:
    """A missing value is an empty cell; the label is the user's; gzip holds the same text."""
    wide = run.wide().head(2)
    name = run.layout.columns()[0]
    wide = wide.with_columns(pl.when(pl.int_range(2) == 0).then(pl.col(name)).alias(name))
    plain = write_scada_csv(wide, run.layout, tmp_path, label="x")[0]
    packed = write_scada_csv(wide, run.layout, tmp_path, label="x", compress=True)[0]
    assert packed.name == "x_SCADA_Pressures.csv.gz"
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert plain.read_text().splitlines()[2].startswith("2019-01-07 00:05:00;;")


def test_years_are_separate_files(run, tmp_path: Path) -> None:
    """Telemetry over New Year becomes a set for each year."""
    wide = run.wide().with_columns(pl.col("ts_utc") - pl.duration(days=6, hours=12))
    files = write_scada_csv(wide, run.layout, tmp_path)
    assert sorted({f.name[:4] for f in files}) == ["2018", "2019"]
    rows = [len(f.read_text().splitlines()) - 1 for f in files if "Levels" in f.name]
    assert rows == [144, 144]
