"""LDIMBenchmark's dataset layout, checked for exactly what its loader reads and refuses."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from leak_assets.errors import InputError
from leak_assets.exchange.ldim import write_ldim_dataset
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town, TownBounds
from leak_assets.sites import load_layout

HOUR = timedelta(hours=1)


@pytest.fixture
def run(net1, monday):
    """Return a day of Net1 with a leak at a pipe and one at a node, measured with errors."""
    leaks = [
        Leak("22", monday + 8 * HOUR, 0.03),
        Leak(None, monday + 12 * HOUR, 0.02, "incipient", monday + 20 * HOUR, node_id="13"),
    ]
    return run_scenario(
        net1,
        load_layout(net1),
        start_at=monday,
        duration_s=86100,
        town=Town.draw(net1, 1, TownBounds(closed_valves=0)),
        leaks=leaks,
    )


def _periods(folder: Path) -> dict[str, pd.Timestamp]:
    """Read the periods and refuse what LDIMBenchmark's `Dataset` refuses."""
    info = yaml.safe_load((folder / "dataset_info.yaml").read_text())
    at = {
        f"{period}_{end}": pd.to_datetime(info["dataset"][period][end], utc=True)
        for period in ("training", "evaluation")
        for end in ("start", "end")
    }
    assert at["training_start"] < at["training_end"] <= at["evaluation_start"]
    assert at["evaluation_start"] < at["evaluation_end"]
    return at


def test_info_file(net1, run, tmp_path: Path) -> None:
    """Name, model, periods in order, and the checksum over all other files."""
    folder = write_ldim_dataset(net1, run, tmp_path / "ds", name="mine")
    info = yaml.safe_load((folder / "dataset_info.yaml").read_text())
    assert (info["name"], info["inp_file"]) == ("mine", "model.inp")
    at = _periods(folder)
    assert at["evaluation_start"] == pd.Timestamp("2019-01-07 04:00", tz="UTC")
    assert at["training_end"] == pd.Timestamp("2019-01-07 03:55", tz="UTC")
    assert at["evaluation_end"] == pd.Timestamp("2019-01-07 23:55", tz="UTC")
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "dataset_info.yaml"]
    digests = sorted(hashlib.md5(p.read_bytes()).hexdigest() for p in files)  # noqa: S324
    assert info["checksum"] == hashlib.md5("".join(digests).encode()).hexdigest()  # noqa: S324


def test_sensor_files(net1, run, tmp_path: Path) -> None:
    """All four folders are there; each file has the index `Timestamp` and its sensor's column."""
    folder = write_ldim_dataset(net1, run, tmp_path / "ds")
    for quantity, name in (
        ("pressure", "pressures"),
        ("flow", "flows"),
        ("level", "levels"),
        ("demand", "demands"),
    ):
        series = run.measured.get(quantity)
        ids = () if series is None else series.ids
        assert {p.name for p in (folder / name).iterdir()} == {f"{i}.csv" for i in ids}
        for column, sensor in enumerate(ids):
            frame = pd.read_csv(folder / name / f"{sensor}.csv", index_col="Timestamp")
            frame.index = pd.to_datetime(frame.index, utc=True)
            assert list(frame.columns) == [sensor]
            assert frame.index[0] == pd.Timestamp(run.start_at)
            assert len(frame) == run.steps
            assert frame[sensor].to_numpy() == pytest.approx(series.values[:, column], abs=1e-9)


def test_leaks_file(net1, run, tmp_path: Path) -> None:
    """The loader parses three time columns; a leak at a node stands with a pipe of that node."""
    folder = write_ldim_dataset(net1, run, tmp_path / "ds")
    dates = ["leak_time_start", "leak_time_end", "leak_time_peak"]
    leaks = pd.read_csv(folder / "leaks.csv", parse_dates=dates, dtype={"leak_pipe_id": str})
    assert [str(leaks[d].dtype)[:10] for d in dates] == ["datetime64"] * 3
    assert leaks["leak_pipe_id"][0] == "22"
    assert leaks["leak_pipe_id"][1] in net1.water_network().get_links_for_node("13")
    assert leaks["leak_diameter"].tolist() == [0.03, 0.02]
    assert leaks["leak_max_flow"].to_numpy() == pytest.approx(run.leak_flow.max(axis=0))
    at = _periods(folder)
    assert (leaks["leak_time_start"].dt.tz_localize("UTC") > at["evaluation_start"]).all()


def test_model_is_the_one_that_is_known(net1, run, tmp_path: Path) -> None:
    """The model has neither the town's differences nor the leaks."""
    import wntr

    folder = write_ldim_dataset(net1, run, tmp_path / "ds")
    model, known = wntr.network.WaterNetworkModel(str(folder / "model.inp")), net1.water_network()
    assert model.link_name_list == known.link_name_list
    for name, pipe in known.pipes():
        assert model.get_link(name).diameter == pytest.approx(pipe.diameter)
    assert [p.name for p in tmp_path.iterdir()] == ["ds"]


def test_evaluation_must_lie_within_the_run(net1, run, monday, tmp_path: Path) -> None:
    """A start outside the run, or a run of a few steps, is refused and nothing is written."""
    folder = write_ldim_dataset(net1, run, tmp_path / "ds", evaluation_from=monday + 6 * HOUR)
    assert _periods(folder)["evaluation_start"] == pd.Timestamp(monday + 6 * HOUR)
    for start in (monday, monday + 24 * HOUR):
        with pytest.raises(InputError, match="no training or no evaluation period"):
            write_ldim_dataset(net1, run, tmp_path / "x", evaluation_from=start)
    short = run_scenario(net1, run.layout, start_at=monday, duration_s=600)
    with pytest.raises(InputError, match="no training"):
        write_ldim_dataset(net1, short, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_missing_values_are_empty(net1, run, tmp_path: Path) -> None:
    """What a sensor fault swallowed is an empty cell."""
    values = run.measured["pressure"].values.copy()
    values[5, 0] = np.nan
    pressure = replace(run.measured["pressure"], values=values)
    faulty = replace(run, measured=run.measured | {"pressure": pressure})
    folder = write_ldim_dataset(net1, faulty, tmp_path / "ds")
    text = (folder / "pressures" / f"{pressure.ids[0]}.csv").read_text()
    assert text.splitlines()[6] == "2019-01-07 00:25:00,"
