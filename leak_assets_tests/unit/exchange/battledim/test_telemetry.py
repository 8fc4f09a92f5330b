"""Official files: format, round trip, and the truth that the scorer reads."""

import gzip
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.exchange.battledim.telemetry import (
    LeakTruth,
    write_long_parquet,
    write_scada_csv,
    write_truth,
)
from leak_assets.exchange.schedules import read_schedule
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town, TownBounds
from leak_assets.sites import load_layout


@pytest.fixture
def run(net1, monday):
    """Return a day of Net1 with one leak, measured with errors."""
    leak = Leak("22", monday + timedelta(hours=3), 0.03, end_at=monday + timedelta(hours=9))
    town = Town.draw(net1, 1, TownBounds(closed_valves=0))
    return run_scenario(
        net1, load_layout(net1), start_at=monday, town=town, leaks=[leak], duration_s=86100
    )


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


def test_no_half_written_file_stays(run, tmp_path: Path) -> None:
    """Only whole files are in the folder afterwards; the Parquet form has every value once."""
    write_long_parquet(run.wide(), run.layout, tmp_path / "run.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["run.parquet"]
    long = pl.read_parquet(tmp_path / "run.parquet")
    assert long.columns == ["ts_utc", "sensor_id", "quantity", "value", "unit"]
    for sensor in run.layout.sensors:
        rows = long.filter(sensor_id=sensor.sensor_id, quantity=sensor.quantity).sort("ts_utc")
        assert rows["unit"].unique().to_list() == [sensor.unit]
        assert np.allclose(rows["value"] * sensor.to_si, run.wide()[sensor.column])


def _truth(run) -> LeakTruth:
    return LeakTruth(
        run.start_at,
        run.start_at + timedelta(seconds=86100),
        Path("/models/town.inp"),
        run.leaks,
        run.leak_flow_m3_per_h(),
        "mine",
    )


def test_truth_files(run, tmp_path: Path) -> None:
    """Schedule, flows in hundredths of m3/h and meta data are as the scorer expects them."""
    write_truth(_truth(run), tmp_path, {"seed": 1})
    assert (tmp_path / "leaks.csv").read_text().splitlines() == [
        "linkID,startTime,endTime,diameter_m,type,peakTime",
        "22,2019-01-07 03:00,2019-01-07 09:00,0.03,abrupt,2019-01-07 03:00",
    ]
    meta = json.loads((tmp_path / "meta.json").read_text())
    assert meta == {
        "name": "mine",
        "start": "2019-01-07 00:00",
        "end": "2019-01-07 23:55",
        "network": "/models/town.inp",
        "seed": 1,
    }
    flows = pl.read_parquet(tmp_path / "leak_flows.parquet")
    assert flows.schema == {"0_22": pl.Int32}
    assert flows.height == 288
    assert flows["0_22"].to_numpy() / 100 == pytest.approx(
        run.leak_flow_m3_per_h()[:, 0], abs=0.0051
    )
    assert read_schedule(tmp_path / "leaks.csv") == run.leaks or read_schedule(
        tmp_path / "leaks.csv"
    ) == tuple(replace(k, peak_at=k.peak) for k in run.leaks)


def test_truth_of_a_coarse_run_is_on_the_scorers_steps(run, tmp_path: Path) -> None:
    """Flow of every 15 minutes is held over three steps of 5 minutes."""
    truth = _truth(run)
    coarse = replace(
        truth,
        end_at=run.start_at + timedelta(seconds=84600 + 900),
        flow_m3_per_h=np.arange(96.0)[:, None],
    )
    write_truth(coarse, tmp_path)
    flows = pl.read_parquet(tmp_path / "leak_flows.parquet")["0_22"].to_list()
    assert flows[:7] == [0, 0, 0, 100, 100, 100, 200]
    assert len(flows) == 286
    assert flows[-1] == 9500


def test_node_leak_has_no_place_in_the_truth(run, monday, tmp_path: Path) -> None:
    """The scorer knows pipes only, and nothing is written otherwise."""
    truth = replace(_truth(run), leaks=(Leak(None, monday, 0.02, node_id="11"),))
    with pytest.raises(InputError, match="node 11"):
        write_truth(truth, tmp_path)
    assert list(tmp_path.iterdir()) == []
