"""The engine against WNTRSimulator, which has leaks of its own."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.epanet.pressure_driven import REQUIRED_PRESSURE_M
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.sites import load_layout, resolve


@pytest.mark.parametrize(
    ("name", "pipe", "diameter_m", "hours"),
    [("hanoi", "12", 0.05, 2), ("net3", "123", 0.05, 6), ("l-town", "p523", 0.020246, 1)],
)
def test_leak_flow_and_pressures_agree(settings, name, pipe, diameter_m, hours) -> None:
    """With a leak at mid-pipe, leak flow is within 0.5 % and every pressure within 0.02 m."""
    import wntr

    network = resolve(name, settings)
    start = datetime.combine(network.pattern_epoch, datetime.min.time(), UTC)
    leak = Leak(pipe, start + timedelta(minutes=30), diameter_m)
    run = run_scenario(
        network,
        load_layout(network),
        start_at=start,
        duration_s=hours * 3600,
        leaks=[leak],
        record="all",
    )
    model = wntr.morph.split_pipe(network.water_network(), pipe, "half", "middle")
    model.get_node("middle").add_leak(
        model, area=leak.area_m2, discharge_coeff=0.75, start_time=1800
    )
    hydraulic = model.options.hydraulic
    hydraulic.demand_model = "PDD"
    hydraulic.minimum_pressure, hydraulic.required_pressure = 0.0, REQUIRED_PRESSURE_M
    times = model.options.time
    times.duration = hours * 3600
    times.hydraulic_timestep = times.report_timestep = 300
    result = wntr.sim.WNTRSimulator(model).run_sim()
    pressure = run.everything["pressure"]
    expected = result.node["pressure"][list(pressure.ids)].to_numpy()
    assert len(expected) == run.steps
    assert np.abs(pressure.values - expected).max() < 0.02
    leaked = result.node["leak_demand"]["middle"].to_numpy()[6:]
    assert leaked.min() > 0
    assert np.abs(run.leak_flow[6:, 0] / leaked - 1).max() < 0.005
