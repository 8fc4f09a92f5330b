"""The `.inp` of a scenario: EPANET alone gives the run again."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from leak_assets.exchange.inp import write_scenario_inp
from leak_assets.hydraulics.engine.run import TownEngine, run_scenario
from leak_assets.hydraulics.engine.scenario_run import ScenarioRun
from leak_assets.hydraulics.epanet import project as epanet
from leak_assets.hydraulics.towns.events import Event
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town, TownBounds
from leak_assets.sites import Network, load_layout

HOUR = timedelta(hours=1)


def _run(network: Network, town: Town, leaks: list[Leak], **options) -> ScenarioRun:
    options = {"start_at": leaks[0].start_at - 3 * HOUR, "duration_s": 86100, "seed": 5} | options
    layout = load_layout(network)
    return run_scenario(network, layout, town=town, leaks=leaks, record="all", **options)


def _replay(path: Path, run: ScenarioRun, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Run the file in EPANET; return pressures and flows (m3/h) of the run's elements."""
    with epanet.EpanetProject(path, folder) as project:
        nodes = [project.node_index(i) for i in run.everything["pressure"].ids]
        links = [project.link_index(i) for i in run.everything["flow"].ids]
        pressure = project.node_reader(nodes, epanet.NODE_PRESSURE)
        flow = project.link_reader(links, epanet.LINK_FLOW)
        project.open_hydraulics()
        rows = []
        while True:
            project.run()
            if project.now_s % run.step_s == 0:
                rows.append((pressure().copy(), flow().copy()))
            if not project.next():
                break
    return np.array([p for p, _ in rows]), np.array([f for _, f in rows])


@pytest.mark.parametrize("name", ["net1", "hanoi"])
@pytest.mark.parametrize("kind", ["nominal", "town", "crack"])
def test_epanet_gives_the_pressures_of_the_run(
    request, monday, tmp_path: Path, name: str, kind: str
) -> None:
    """Abrupt and incipient leaks, at a pipe and at a node: 2 cm and 1 % of flow at every step."""
    network = request.getfixturevalue(name)
    drawn = Town.draw(network, 3)
    town = {
        "nominal": Town.nominal(network),
        "town": replace(drawn, background_l_per_km_per_h=50.0),
        "crack": replace(drawn, leak_exponent=1.1),
    }[kind]
    start_at = monday + 12.5 * HOUR
    leaks = [
        Leak("22", start_at + 3 * HOUR, 0.04, end_at=start_at + 9 * HOUR),
        Leak(None, start_at + 3 * HOUR, 0.03, "incipient", start_at + 12 * HOUR, node_id="13"),
    ]
    run = _run(network, town, leaks)
    path = tmp_path / "s.inp"
    assert write_scenario_inp(network, run, path) == ("22_leaknode", "13")
    pressure, flow = _replay(path, run, tmp_path)
    expected = run.everything["flow"].values * 3600
    assert pressure == pytest.approx(run.everything["pressure"].values, abs=0.02)
    assert flow == pytest.approx(expected, abs=0.01 * np.abs(expected).max())
    assert run.leak_flow[48].min() > 0, "both leaks flow"


def test_longer_than_a_chunk_of_noise(net1, monday, tmp_path: Path) -> None:
    """Noise comes in chunks of a week; the file has that of the run beyond the first."""
    town = Town.draw(net1, 1, TownBounds(closed_valves=0))
    leak = Leak("22", monday + 170 * HOUR, 0.03)
    run = _run(net1, town, [leak], start_at=monday, duration_s=172 * 3600)
    write_scenario_inp(net1, run, tmp_path / "s.inp")
    pressure, _ = _replay(tmp_path / "s.inp", run, tmp_path)
    assert pressure == pytest.approx(run.everything["pressure"].values, abs=0.02)


def test_drawing_events_are_demands_and_others_are_named(net1, monday, tmp_path: Path) -> None:
    """A fire flow is in the file; a closed pipe is told to be missing."""
    leak = Leak("22", monday + 3 * HOUR, 0.03)
    fire = Event("fire_flow", "23", monday + 4 * HOUR, monday + 6 * HOUR, 60.0)
    valve = Event("valve_operation", "31", monday + 8 * HOUR, monday + 9 * HOUR)
    path = tmp_path / "s.inp"
    run = _run(net1, Town.nominal(net1), [leak], events=[fire])
    write_scenario_inp(net1, run, path)
    pressure, _ = _replay(path, run, tmp_path)
    assert pressure == pytest.approx(run.everything["pressure"].values, abs=0.02)
    write_scenario_inp(net1, _run(net1, Town.nominal(net1), [leak], events=[valve]), path)
    assert "; NOT IN THIS FILE: event valve_operation at 31, 2019-01-07 08:00" in path.read_text()


def test_tank_levels_come_from_the_run_or_the_caller(net1, monday, tmp_path: Path) -> None:
    """Tanks start where they were in the run."""
    layout = load_layout(net1)
    with TownEngine(net1, layout, Town.nominal(net1)) as engine:
        run = engine.run(start_at=monday, duration_s=7200, tank_levels={"2": 35.0}, record="all")
    path = tmp_path / "s.inp"
    write_scenario_inp(net1, run, path)
    pressure, _ = _replay(path, run, tmp_path)
    assert pressure == pytest.approx(run.everything["pressure"].values, abs=0.02)
    bare = replace(run, everything={}, true={})
    write_scenario_inp(net1, bare, path, tank_levels={"2": 35.0})
    assert np.array_equal(_replay(path, run, tmp_path)[0], pressure)


def test_emitters_stay_open(net1, monday, tmp_path: Path) -> None:
    """On request leaks are emitters: open from the first step, so pressure is lower before."""
    run = _run(net1, Town.nominal(net1), [Leak("22", monday + 3 * HOUR, 0.05)])
    path = tmp_path / "s.inp"
    write_scenario_inp(net1, run, path, leaks_as="emitter")
    pressure, _ = _replay(path, run, tmp_path)
    column = run.everything["pressure"].ids.index("22")
    assert pressure[0, column] < run.everything["pressure"].values[0, column] - 0.5
    assert "emitters open at their peak from the first step" in path.read_text()


def test_title_tells_what_the_file_holds(net1, monday, tmp_path: Path) -> None:
    """Three short lines for EPANET, one comment for each leak, the same bytes each time."""
    end_at = monday + 9 * HOUR
    run = _run(net1, Town.draw(net1, 4), [Leak("22", monday + 3 * HOUR, 0.03, end_at=end_at)])
    path, again = tmp_path / "a.inp", tmp_path / "b.inp"
    write_scenario_inp(net1, run, path)
    write_scenario_inp(net1, run, again)
    assert path.read_bytes() == again.read_bytes()
    lines = path.read_text().splitlines()
    assert lines[:5] == [
        "[TITLE]",
        "net1: scenario run, seed 5, town 4",
        "2019-01-07 00:00 to 2019-01-07 23:55 UTC, step 300 s",
        "Leaks: demands that are the leak flow of the run, step by step (1)",
        "; leak at junction 22_leaknode: pipe 22, abrupt, 30 mm, open from 2019-01-07 03:00"
        " (full size 2019-01-07 03:00) to 2019-01-07 09:00",
    ]
    assert max(len(line) for line in lines[1:4]) < 80
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.inp", "b.inp"]


def test_wntr_opens_the_file(net1, monday, tmp_path: Path) -> None:
    """WNTR reads it, too: the leak is a junction between the halves of its pipe."""
    import wntr

    run = _run(net1, Town.nominal(net1), [Leak("22", monday + 3 * HOUR, 0.03)])
    write_scenario_inp(net1, run, tmp_path / "s.inp")
    model = wntr.network.WaterNetworkModel(str(tmp_path / "s.inp"))
    assert sorted(model.get_links_for_node("22_leaknode")) == ["22", "22_Bleak"]
    assert model.options.time.duration == 86100
