"""The truth folder: as the scorer expects it, and read back as it was written."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.exchange.battledim.leaks import read_leak_list
from leak_assets.exchange.battledim.truth import Truth, read_truth, write_truth
from leak_assets.hydraulics.towns.leaks import Leak

INP = Path("/models/town.inp")


def _truth(run, leaks=None, flow=None, seconds=86100, inp_path=INP) -> Truth:
    return Truth.of_run(
        "mine",
        inp_path,
        run.start_at,
        run.start_at + timedelta(seconds=seconds),
        run.leaks if leaks is None else leaks,
        run.leak_flow_m3_per_h() if flow is None else flow,
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
    assert read_leak_list(tmp_path / "leaks.csv") == tuple(
        replace(k, peak_at=k.peak) for k in run.leaks
    )


def test_truth_of_a_coarse_run_is_on_the_scorers_steps(run, tmp_path: Path) -> None:
    """Flow of every 15 minutes is held over three steps of 5 minutes."""
    write_truth(_truth(run, flow=np.arange(96.0)[:, None], seconds=84600 + 900), tmp_path)
    flows = pl.read_parquet(tmp_path / "leak_flows.parquet")["0_22"].to_list()
    assert flows[:7] == [0, 0, 0, 100, 100, 100, 200]
    assert len(flows) == 286
    assert flows[-1] == 9500


def test_node_leak_has_no_place_in_the_truth(run, monday, tmp_path: Path) -> None:
    """The scorer knows pipes only, and nothing is written otherwise."""
    truth = _truth(run, leaks=(Leak(None, monday, 0.02, node_id="11"),))
    with pytest.raises(InputError, match="node 11"):
        write_truth(truth, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_truth_is_read_back(run, tmp_path: Path) -> None:
    """Period, model, leaks and flow to a hundredth; a relative model lies beside the folder."""
    (tmp_path / "town.inp").write_text("[JUNCTIONS]")
    written = _truth(run, inp_path=Path("../town.inp"))
    write_truth(written, tmp_path / "truth")
    back = read_truth(tmp_path / "truth")
    assert (back.name, back.start_at, back.end_at) == ("mine", written.start_at, written.end_at)
    assert back.inp_path == tmp_path / "town.inp"
    (leak,) = back.leaks
    assert (leak.link_id, leak.start_at) == ("22", run.leaks[0].start_at)
    assert leak.flow_m3_per_h == pytest.approx(run.leak_flow_m3_per_h()[:, 0], abs=0.0051)


def test_only_leaks_of_the_period_are_its_truth(run, monday, tmp_path: Path) -> None:
    """One that ended before is left out, one that goes on growing after it is read back."""
    day = timedelta(days=1)
    leaks = (
        Leak("21", monday - 9 * day, 0.02, end_at=monday - day),
        Leak("22", monday - day, 0.02, "incipient", monday + 9 * day),
        Leak("31", monday + 2 * day, 0.02),
    )
    write_truth(_truth(run, leaks, np.tile([1.0, 2.0, 3.0], (288, 1))), tmp_path)
    (leak,) = read_leak_list(tmp_path / "leaks.csv")
    assert (leak.link_id, leak.peak) == ("22", monday + 9 * day)
    assert pl.read_parquet(tmp_path / "leak_flows.parquet")["0_22"].unique().to_list() == [200]
