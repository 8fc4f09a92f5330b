"""LeakDB's folder layout, read back the way its readers do."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leak_assets.errors import InputError
from leak_assets.exchange.leakdb import write_leakdb_scenario
from leak_assets.exchange.schedules import read_leaks
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town, TownBounds
from leak_assets.sites import load_layout

HOUR = timedelta(hours=1)
STEP = 1800


@pytest.fixture(scope="module")
def run(net1):
    """Return two days of Net1 in steps of 30 minutes, all recorded, with leaks of each kind."""
    from datetime import UTC, datetime

    monday = datetime(2019, 1, 7, tzinfo=UTC)
    leaks = [
        Leak("22", monday + 3 * HOUR, 0.03, end_at=monday + 9 * HOUR),
        Leak(None, monday + 20 * HOUR, 0.02, "incipient", monday + 30 * HOUR, node_id="13"),
        Leak(None, monday + 33 * HOUR, 0.01, end_at=monday + 36 * HOUR, node_id="13"),
    ]
    town = Town.draw(net1, 1, TownBounds(closed_valves=0))
    return run_scenario(
        net1,
        load_layout(net1),
        start_at=monday,
        duration_s=2 * 86400 - STEP,
        step_s=STEP,
        town=town,
        leaks=leaks,
        record="all",
    )


def test_readers_of_leakdb_find_their_columns(net1, run, tmp_path: Path) -> None:
    """The columns that EPyT-Flow's loader takes: `Value`, `Label`, `Timestamp`; rows in step."""
    scenario = write_leakdb_scenario(net1, run, tmp_path, 7)
    assert scenario == tmp_path / "Scenario-7"
    assert sorted(p.name for p in scenario.iterdir()) == [
        "Demands",
        "Flows",
        "Labels.csv",
        "Leaks",
        "Pressures",
        "README.txt",
        "Scenario-7_info.csv",
        "Timestamps.csv",
        "net1_Scenario-7.inp",
    ]
    for folder, stem, quantity, factor in (
        ("Pressures", "Node", "pressure", 1),
        ("Flows", "Link", "flow", 3600),
    ):
        series = run.everything[quantity]
        files = {p.name for p in (scenario / folder).iterdir()}
        assert files == {f"{stem}_{name}.csv" for name in series.ids}
        frame = pd.read_csv(scenario / folder / f"{stem}_{series.ids[0]}.csv")
        assert list(frame.columns) == ["Timestamp", "Value"]
        assert frame["Value"].to_numpy() == pytest.approx(series.values[:, 0] * factor, abs=1e-6)
    times = pd.read_csv(scenario / "Timestamps.csv")["Timestamp"]
    assert times.tolist()[:2] == ["2019-01-07 00:00:00", "2019-01-07 00:30:00"]
    label = pd.read_csv(scenario / "Labels.csv")["Label"].to_numpy()
    assert np.flatnonzero(label).tolist() == [*range(6, 18), *range(40, 96)]
    assert len(times) == len(label) == run.steps


def test_demand_and_leaks_are_apart(net1, run, tmp_path: Path) -> None:
    """A leaking node's demand is the customers'; with the leaks it is what EPANET balances."""
    scenario = write_leakdb_scenario(net1, run, tmp_path)
    demand = pd.read_csv(scenario / "Demands" / "Node_13.csv")["Value"].to_numpy()
    leaks = [
        pd.read_csv(scenario / "Leaks" / f"Leak_13{again}_demand.csv")["Value"].to_numpy()
        for again in ("", "_2")
    ]
    column = run.everything["demand"].ids.index("13")
    total = run.everything["demand"].values[:, column] * 3600
    assert demand + sum(leaks) == pytest.approx(total, abs=1e-5)
    assert leaks[0][60:].min() > 0


def test_info_files_give_the_leaks_back(net1, run, tmp_path: Path) -> None:
    """Rows are as LeakDB's generator writes them, and reading them gives the same holes."""
    scenario = write_leakdb_scenario(net1, run, tmp_path)
    text = (scenario / "Leaks" / "Leak_22_leaknode_info.csv").read_text()
    assert text.splitlines() == [
        "Description , Value",
        "Leak Node , 22_leaknode",
        "Leak Area , 0.000706858347",
        "Leak Diameter , 0.03",
        "Leak Type , abrupt",
        "Leak Start , 2019-01-07 03:00:00",
        "Leak End , 2019-01-07 08:30:00",
        "Peak Time , 2019-01-07 03:00:00",
        "Leak Link , 22",
    ]
    back = {(k.element_id, k.kind): k for k in read_leaks(scenario)}
    assert len(back) == 3
    for leak in run.leaks:
        twin = back[leak.element_id, leak.kind]
        assert (twin.link_id, twin.node_id) == (leak.link_id, leak.node_id)
        openings = (k.opening(run.start_at, STEP, run.steps) for k in (leak, twin))
        assert np.array_equal(*openings)


def test_measured_values_of_the_sensors(net1, run, tmp_path: Path) -> None:
    """On request, and in a run of the sensors alone, only instrumented elements have files."""
    bare = replace(run, everything={})
    for number, source, values in ((1, run, "measured"), (2, bare, "true")):
        scenario = write_leakdb_scenario(net1, source, tmp_path, number, values=values)
        names = {p.stem.removeprefix("Node_") for p in (scenario / "Pressures").iterdir()}
        assert names == {*run.layout.ids("pressure"), *run.layout.ids("level")}
        name = run.layout.ids("pressure")[0]
        column = pd.read_csv(scenario / "Pressures" / f"Node_{name}.csv")["Value"].to_numpy()
        kept = run.measured if values == "measured" else run.true
        assert column == pytest.approx(kept["pressure"].values[:, 0], abs=1e-6)
        readme = (scenario / "README.txt").read_text()
        assert re.search(rf"hold {values} values of the sensors", readme)


def test_scenario_appears_whole_or_not_at_all(net1, run, tmp_path: Path) -> None:
    """An earlier export is replaced; a folder of something else is not touched."""
    first = write_leakdb_scenario(net1, run, tmp_path)
    (first / "Leaks" / "Leak_9_info.csv").write_text("old")
    write_leakdb_scenario(net1, run, tmp_path)
    assert not (first / "Leaks" / "Leak_9_info.csv").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["Scenario-1"]
    other = tmp_path / "Scenario-2"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        write_leakdb_scenario(net1, run, tmp_path, 2)
    assert [p.name for p in other.iterdir()] == ["thesis.txt"]
    broken = replace(run, true={}, everything={"pressure": run.everything["pressure"]})
    with pytest.raises(KeyError):
        write_leakdb_scenario(net1, broken, tmp_path, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Scenario-1", "Scenario-2"]
