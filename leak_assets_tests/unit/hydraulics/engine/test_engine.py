"""The engine's physics and its behaviour on bad input."""

import hashlib
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from math import pi, sqrt
from pathlib import Path

import numpy as np
import pytest

from leak_assets.errors import HydraulicError, InputError
from leak_assets.hydraulics.engine.run import TownEngine, run_scenario
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town
from leak_assets.sites import layout_from_headers, load_layout, resolve

HOUR = timedelta(hours=1)


def _digest(run) -> str:
    values = np.round(run.wide().drop("ts_utc").to_numpy(), 6) + 0.0
    return hashlib.sha256(values.tobytes()).hexdigest()


def test_default_day_has_289_rows(hanoi, monday) -> None:
    """A day of 86,400 s at 300 s is 289 rows, 300 s apart, columns from the layout."""
    layout = load_layout(hanoi)
    wide = run_scenario(hanoi, layout, start_at=monday).wide()
    assert wide.shape == (289, 1 + len(layout.sensors))
    assert wide.columns == ["ts_utc", *layout.columns()]
    assert wide["ts_utc"].diff().drop_nulls().unique().to_list() == [timedelta(seconds=300)]
    assert wide["ts_utc"][0] == monday


def test_node_leak_of_hanoi_reference(hanoi, monday) -> None:
    """A 50 mm hole at node 12 of Hanoi gives 27.90 L/s, which is Cd·A·sqrt(2gp)."""
    leak = Leak(None, monday, 0.05, node_id="12")
    run = run_scenario(
        hanoi, load_layout(hanoi), start_at=monday, duration_s=0, leaks=[leak], record="all"
    )
    pressure = run.everything["pressure"]
    p = pressure.values[0, pressure.ids.index("12")]
    assert run.leak_flow[0, 0] * 1000 == pytest.approx(27.90, abs=0.05)
    assert run.leak_flow[0, 0] == pytest.approx(0.75 * pi * 0.05**2 / 4 * sqrt(2 * 9.81 * p))


def test_leak_p523_of_ltown(ltown, monday) -> None:
    """BattLeDIM's leak p523 of 20.246 mm runs at 28.1 to 28.4 m3/h on the nominal model."""
    leak = Leak("p523", monday + 2 * HOUR, 0.020246)
    run = run_scenario(ltown, load_layout(ltown), start_at=monday, leaks=[leak])
    flow = run.leak_flow_m3_per_h()[:, 0]
    assert not flow[:24].any()
    assert flow[24:].min() > 28.05
    assert flow[24:].max() < 28.45
    assert run.leak_volume_m3()[0] == pytest.approx(28.2 * 22, rel=0.01)


def test_incipient_leak_flow_over_time(net3, monday) -> None:
    """No flow before the start, growing to the peak at steady pressure, none after the end."""
    leak = Leak("123", monday + HOUR, 0.05, "incipient", monday + 3 * HOUR, monday + 4 * HOUR)
    run = run_scenario(net3, load_layout(net3), start_at=monday, duration_s=6 * 3600, leaks=[leak])
    flow = run.leak_flow[:, 0]
    assert not flow[:12].any()
    assert (np.diff(flow[12:37]) > 0).all()
    assert flow[36:48].min() > 0
    assert not flow[48:].any()


def test_water_is_conserved(net1, monday) -> None:
    """What the pump brings is what is used, what leaks and what the tank takes."""
    leak = Leak("21", monday + 2 * HOUR, 0.04)
    run = run_scenario(
        net1,
        load_layout(net1),
        start_at=monday,
        leaks=[leak],
        record="all",
        duration_s=6 * 3600,
    )
    demand, flow = run.everything["demand"], run.everything["flow"]
    model = net1.water_network()
    used = sum(demand.values[:, demand.ids.index(n)] for n in model.junction_name_list)
    inflow = flow.values[:, flow.ids.index("9")]
    to_tank = -flow.values[:, flow.ids.index("110")]
    assert model.get_link("110").start_node_name == "2"
    balance = inflow - used - to_tank - run.leak_flow[:, 0]
    assert np.abs(balance).max() < 1e-4 * inflow.max()
    # The tank's level follows from what flows into it, step by step.
    level = run.true["level"].values[:, 0]
    area = pi * model.get_node("2").diameter ** 2 / 4
    assert np.allclose(np.diff(level) * area, to_tank[:-1] * 300, atol=0.02)


def test_a_longer_step_is_one_step_whatever_ran_before(net1, monday) -> None:
    """The tank takes what flows at a step's begin for all of it: nothing is solved in between."""
    with TownEngine(net1, load_layout(net1), Town.nominal(net1)) as engine:
        area = pi * net1.water_network().get_node("2").diameter ** 2 / 4
        for step_s in (300, 1800, 3600):
            run = engine.run(start_at=monday, duration_s=4 * 3600, step_s=step_s, record="all")
            flow = run.everything["flow"]
            to_tank = -flow.values[:-1, flow.ids.index("110")]
            level = run.true["level"].values[:, 0]
            assert np.diff(level) * area == pytest.approx(to_tank * step_s, rel=1e-4), step_s


def test_two_leaks_on_one_pipe_share_its_outflow(net3, monday) -> None:
    """Leaks at one place add up, each by its area; the frame shows their sum."""
    leaks = [Leak("123", monday, 0.02), Leak("123", monday, 0.04)]
    layout = load_layout(net3)
    run = run_scenario(net3, layout, start_at=monday, duration_s=3600, leaks=leaks)
    assert np.allclose(run.leak_flow[:, 1], 4 * run.leak_flow[:, 0])
    rows = run.long().filter(quantity="leak_flow")
    assert rows.height == run.steps
    assert rows["value_si"].to_numpy() == pytest.approx(run.leak_flow.sum(axis=1))


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5])
def test_leak_follows_its_exponent(net3, monday, exponent: float) -> None:
    """Leak flow against pressure has slope N1 in logarithms, also when it opens in the run."""
    town = replace(Town.nominal(net3), leak_exponent=exponent)
    leak = Leak(None, monday + HOUR, 0.02, node_id="15")
    run = run_scenario(
        net3, load_layout(net3), start_at=monday, town=town, leaks=[leak], record="all"
    )
    pressure = run.everything["pressure"]
    p = pressure.values[:, pressure.ids.index("15")]
    q = run.leak_flow[:, 0]
    assert not q[:12].any()
    slope = np.polyfit(np.log(p[12:]), np.log(q[12:]), 1)[0]
    assert slope == pytest.approx(exponent, abs=0.05)


def test_background_leakage_raises_inflow_not_meters(hanoi, monday) -> None:
    """Background leakage flows in through the source; water meters do not see it."""
    layout = layout_from_headers(hanoi, {"flow": ["1"], "demand": ["2", "17"]})
    tight = Town.nominal(hanoi)
    leaky = replace(tight, background_l_per_km_per_h=2000.0)
    runs = [
        run_scenario(hanoi, layout, start_at=monday, duration_s=0, town=t) for t in (tight, leaky)
    ]
    inflow = [r.true["flow"].values[0, 0] * 3600 for r in runs]
    assert inflow[1] > inflow[0] + 10
    meters = [r.true["demand"].values[0] for r in runs]
    assert meters[0][0] == pytest.approx(meters[1][0], rel=1e-4)


def test_meter_does_not_see_a_leak_at_its_node(net3, monday) -> None:
    """The demand of a meter at a leaking junction is what the customer takes."""
    layout = layout_from_headers(net3, {"demand": ["15"]})
    sound = run_scenario(net3, layout, start_at=monday, duration_s=0)
    leak = Leak(None, monday, 0.02, node_id="15")
    leaking = run_scenario(net3, layout, start_at=monday, duration_s=0, leaks=[leak])
    assert leaking.leak_flow[0, 0] > 0
    assert leaking.true["demand"].values == pytest.approx(sound.true["demand"].values, rel=1e-3)


def test_same_seed_same_values_other_seed_other(net1, monday) -> None:
    """A seed fixes every value, whatever ran before in the same project."""
    town = Town.draw(net1, 3)
    layout = load_layout(net1)
    leak = Leak("21", monday + HOUR, 0.02)
    with TownEngine(net1, layout, town, ["21"]) as engine:
        first = engine.run(start_at=monday, leaks=[leak], seed=1)
        other = engine.run(start_at=monday, seed=2)
        again = engine.run(start_at=monday, leaks=[leak], seed=1)
    alone = run_scenario(net1, layout, start_at=monday, town=town, leaks=[leak], seed=1)
    assert _digest(first) == _digest(again) == _digest(alone)
    assert _digest(first) != _digest(other)


def test_run_starts_anywhere_in_the_calendar(ltown, monday) -> None:
    """A run that starts on a Saturday noon sees the demands a longer run sees then."""
    layout = layout_from_headers(ltown, {"demand": ["n1", "n343", "n389"]})
    saturday = monday + timedelta(days=5, hours=12)
    long = run_scenario(ltown, layout, start_at=monday, duration_s=6 * 86400)
    short = run_scenario(ltown, layout, start_at=saturday, duration_s=6 * 3600)
    k = int((saturday - monday).total_seconds() // 300)
    assert short.true["demand"].values == pytest.approx(
        long.true["demand"].values[k : k + 73], rel=1e-3
    )


def test_long_runs_fill_patterns_in_chunks(hanoi, monday) -> None:
    """Eight days (more than one chunk of patterns) repeat the model's day without a seam."""
    model_day = run_scenario(hanoi, load_layout(hanoi), start_at=monday)
    run = run_scenario(hanoi, load_layout(hanoi), start_at=monday, duration_s=8 * 86400)
    assert run.steps == 8 * 288 + 1
    assert run.true["flow"].values[-1] == pytest.approx(model_day.true["flow"].values[-1])


def test_record_all_has_every_node_and_link(net1, monday) -> None:
    """Pressure, head, demand of every node and flow, velocity, status of every link."""
    run = run_scenario(
        net1,
        load_layout(net1),
        start_at=monday,
        duration_s=3600,
        record="all",
        leaks=[Leak("21", monday, 0.02)],
    )
    rows = run.long()
    model = net1.water_network()
    counts = dict(rows.group_by("quantity").len().iter_rows())
    for quantity in ("pressure", "head", "demand"):
        assert counts[quantity] == 13 * model.num_nodes
    for quantity in ("flow", "velocity", "status"):
        assert counts[quantity] == 13 * model.num_links
    assert counts["leak_flow"] == 13
    assert set(rows["element_id"]) == {*model.node_name_list, *model.link_name_list}
    assert not rows.select("ts_utc", "element_id", "quantity").is_duplicated().any()


def test_sensors_measure_with_offset_noise_and_resolution(hanoi, monday) -> None:
    """Readings differ from the truth by the town's offset and noise and stand on the grid."""
    town = Town.draw(hanoi, 5)
    layout = load_layout(hanoi)
    run = run_scenario(hanoi, layout, start_at=monday, town=town, seed=4)
    error = run.measured["pressure"].values - run.true["pressure"].values
    offsets = [town.pressure_offset_m[i] for i in layout.ids("pressure")]
    assert error.mean(axis=0) == pytest.approx(offsets, abs=0.003)
    assert error.std(axis=0) == pytest.approx(0.0104, abs=0.002)
    centimetres = run.measured["pressure"].values * 100
    assert centimetres == pytest.approx(np.round(centimetres), abs=1e-6)


def test_removed_sensor_changes_no_other_series(hanoi, monday) -> None:
    """Without one pressure sensor the flow readings stay the same and its column is gone."""
    town = Town.draw(hanoi, 5)
    layout = load_layout(hanoi)
    full = run_scenario(hanoi, layout, start_at=monday, town=town, duration_s=3600).wide()
    less = run_scenario(
        hanoi, layout.without("12"), start_at=monday, town=town, duration_s=3600
    ).wide()
    assert "pressure/12" not in less.columns
    assert less["flow/1"].equals(full["flow/1"])


def test_negative_pressures_are_counted(settings, monday) -> None:
    """Balerma with its published demands has nodes below zero; each step of each counts."""
    balerma = resolve("balerma", settings)
    run = run_scenario(balerma, load_layout(balerma), start_at=monday, duration_s=0, record="all")
    pressure, demand = run.everything["pressure"], run.everything["demand"]
    model = balerma.water_network()
    needs = [
        any(d.base_value for d in model.get_node(n).demand_timeseries_list)
        for n in model.junction_name_list
    ]
    columns = [pressure.ids.index(n) for n in model.junction_name_list]
    assert demand.ids == pressure.ids
    assert run.negative_pressures == int((pressure.values[0, columns] < 0)[needs].sum())


def test_starting_tank_level_is_used(net1, monday) -> None:
    """A given level starts the run; the next run has the model's again."""
    layout = load_layout(net1)
    with TownEngine(net1, layout, Town.nominal(net1)) as engine:
        low = engine.run(start_at=monday, duration_s=300, tank_levels={"2": 31.0})
        usual = engine.run(start_at=monday, duration_s=300)
    assert low.true["level"].values[0, 0] == pytest.approx(31.0, abs=1e-3)
    assert usual.true["level"].values[0, 0] == pytest.approx(36.576, abs=1e-3)


def test_cut_off_demand_names_time_and_node(model_path: Path, settings, monday) -> None:
    """Demand that a control cuts off from every source stops the run by name."""
    model_path.write_text(
        "[JUNCTIONS]\n a 0 1\n b 0 1\n[RESERVOIRS]\n r 50\n[PIPES]\n p1 r a 100 300 100 0 Open\n"
        " p2 a b 100 300 100 0 Open\n[CONTROLS]\n LINK p2 CLOSED AT TIME 1\n[OPTIONS]\n"
        " Units LPS\n Headloss H-W\n[END]\n"
    )
    network = resolve(model_path, settings)
    layout = layout_from_headers(network, {"pressure": ["a"]})
    with pytest.raises(HydraulicError, match=r"model at 1:00:00 .*cut off from every source: b"):
        run_scenario(network, layout, start_at=monday, duration_s=7200)


def test_empty_tank_is_named(settings, monday) -> None:
    """Where nothing balances any more the message names the tank that ran empty."""
    net2 = resolve("net2", settings)
    layout = load_layout(net2)
    with (
        TownEngine(net2, layout, Town.nominal(net2)) as engine,
        pytest.raises(HydraulicError, match=r"net2 at \d+:.*tank 26 is empty"),
    ):
        engine.run(start_at=monday, tank_levels={"26": 15.3})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step_s": 7200, "duration_s": 7200}, "does not divide the pattern step"),
        ({"duration_s": 1000}, "not a multiple of the step"),
        ({"start_at": datetime(2019, 1, 7)}, "no time zone"),  # noqa: DTZ001
        ({"leaks": [Leak("nope", datetime.fromisoformat("2019-01-07T00Z"), 0.02)]}, "nope"),
    ],
)
def test_impossible_run_is_refused(net3, monday, changes: dict, words: str) -> None:
    """A step, duration, start or leak that cannot be is one clear line."""
    with pytest.raises(InputError, match=words):
        run_scenario(net3, load_layout(net3), **({"start_at": monday} | changes))


def test_nothing_is_left_behind(net1, monday, tmp_path, monkeypatch) -> None:
    """Temporary files are private and gone, also after an error; the model file is untouched."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    before = net1.inp_path.read_bytes()
    run_scenario(net1, load_layout(net1), start_at=monday, duration_s=600)
    with pytest.raises(InputError):
        run_scenario(net1, load_layout(net1), start_at=monday, duration_s=600, step_s=7)
    assert list(tmp_path.iterdir()) == []
    assert net1.inp_path.read_bytes() == before


def test_model_with_wntr_leaks_is_refused(net1, monday, monkeypatch) -> None:
    """A model whose leaks EPANET would ignore never reaches EPANET."""
    model = net1.water_network()
    model.get_node("11").add_leak(model, area=1e-4, start_time=0)
    monkeypatch.setattr(type(net1), "water_network", lambda _: model)
    with pytest.raises(InputError, match="add_leak"):
        run_scenario(net1, load_layout(net1), start_at=monday)


def test_rules_and_quality_of_a_model_do_not_disturb(settings, model_path, monday) -> None:
    """EPANET's rules act in the loop as they do in EPANET alone; quality is left out."""
    import wntr

    model_path.write_text(
        "[JUNCTIONS]\n a 0 5\n b 0 5\n[RESERVOIRS]\n r 50\n[TANKS]\n t 20 3 0 6 8 0\n[PIPES]\n"
        " p1 r a 500 200 100 0 Open\n p2 a b 500 200 100 0 Open\n p3 b t 300 200 100 0 Open\n"
        "[RULES]\nRULE fill\nIF TANK t LEVEL ABOVE 4\nTHEN PIPE p3 STATUS IS CLOSED\n\n"
        "[QUALITY]\n r 1.0\n[TIMES]\n Duration 24:00\n Hydraulic Timestep 0:05\n"
        " Report Timestep 0:05\n Pattern Timestep 1:00\n Rule Timestep 0:05\n[OPTIONS]\n"
        " Units LPS\n Headloss H-W\n Quality Chlorine mg/L\n Accuracy 0.0001\n Demand Model PDA\n"
        " Required Pressure 25\n[END]\n"
    )
    network = resolve(model_path, settings)
    layout = layout_from_headers(network, {"pressure": ["a", "b"], "level": ["t"]})
    run = run_scenario(network, layout, start_at=monday, duration_s=6 * 3600, record="all")
    flow = run.everything["flow"]
    into_tank = flow.values[:, flow.ids.index("p3")]
    level = run.true["level"].values[:, 0]
    assert into_tank[0] > 0
    assert level.max() == pytest.approx(4, abs=0.2)
    assert np.abs(into_tank[level > 4.01]).max() < 1e-6
    alone = wntr.sim.EpanetSimulator(network.water_network())
    expected = alone.run_sim(file_prefix=str(model_path.with_name("alone")))
    ours = run.everything["pressure"]
    theirs = expected.node["pressure"].loc[: 6 * 3600, list(ours.ids)].to_numpy()
    assert np.abs(ours.values - theirs).max() < 0.02
