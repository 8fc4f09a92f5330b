"""The engine against bare EPANET and WNTRSimulator: time, pressures, leak flow, leak volumes.

Run it: python leak_assets_tests/benchmarks/bench_engine.py
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from leak_assets.exchange.schedules import read_leaks
from leak_assets.hydraulics.engine.run import TownEngine, run_scenario
from leak_assets.hydraulics.epanet import project as epanet
from leak_assets.hydraulics.epanet.pressure_driven import REQUIRED_PRESSURE_M
from leak_assets.hydraulics.towns.demand import DemandModel
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town
from leak_assets.hydraulics.towns.town_model import TownModel, write_town_model
from leak_assets.settings import Settings
from leak_assets.sites import Network, SensorLayout, layout_from_headers, load_layout, resolve
from leak_assets_tests.benchmarks.figures import Figure, print_figures

TOPIC = "Engine: medians, interleaved with the reference"
START = datetime(2019, 1, 15, tzinfo=UTC)
PIPES = ("p523", "p1", "p800")
STEP_S = 300
DAY_S = 86400
REPEATS = 5
# Network, leaking pipe, diameter of the hole in m, hours.
CASES = (
    ("hanoi", "12", 0.05, 24.0),
    ("net3", "123", 0.05, 24.0),
    ("l-town", "p523", 0.020246, 1.0),
)
# The layout of the figure: 33 pressures, 3 flows, 1 level. AMR meters are 82 more values a step.
QUANTITIES = ("pressure", "flow", "level")


class BareRun:
    """The same file, accuracy and demands as the engine's, stepped with nothing read or set."""

    def __init__(self, network: Network, town: Town, days: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        model = write_town_model(network, town, PIPES, folder)
        self._project = epanet.EpanetProject(model.inp_path, folder)
        _fill_patterns(self._project, network, town, model, days * DAY_S // STEP_S + 1)
        self._project.set_time(epanet.TIME_DURATION, days * DAY_S)

    def step_through(self) -> None:
        """Solve every step."""
        self._project.open_hydraulics()
        while True:
            self._project.run()
            if not self._project.next():
                return

    def close(self) -> None:
        """Close EPANET."""
        self._project.close()
        self._folder.cleanup()


def _fill_patterns(
    project: epanet.EpanetProject, network: Network, town: Town, model: TownModel, steps: int
) -> None:
    junctions = list(model.demand_pattern)
    demand = DemandModel(network, model.model, town, junctions).stream(START, STEP_S, 1)
    columns = np.ascontiguousarray(demand.chunk(steps).T) * 3600
    for name, values in zip(model.demand_pattern.values(), columns, strict=True):
        project.set_pattern(project.pattern_index(name), values)


def interleaved_s(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Return median wall times of two works done in turn, so that noise hits both alike."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for work, spent in zip((first, second), times, strict=True):
            begin = time.perf_counter()
            work()
            spent.append(time.perf_counter() - begin)
    return statistics.median(times[0]), statistics.median(times[1])


def week(network: Network, layout: SensorLayout, town: Town, days: int) -> tuple[float, float]:
    """Return the time of bare stepping and of the engine with 3 leaks, for the same days."""
    leaks = [Leak(p, START + timedelta(hours=6 + i), 0.015) for i, p in enumerate(PIPES)]
    bare = BareRun(network, town, days)
    try:
        with TownEngine(network, layout, town, PIPES) as engine:
            return interleaved_s(
                bare.step_through,
                lambda: engine.run(start_at=START, duration_s=days * DAY_S, leaks=leaks, seed=1),
            )
    finally:
        bare.close()


def against_wntr(
    network: Network, pipe: str, diameter_m: float, hours: float
) -> tuple[float, float, float]:
    """Return WNTRSimulator's time, the largest pressure difference (m) and leak flow's (share)."""
    import wntr

    start = datetime.combine(network.pattern_epoch, datetime.min.time(), UTC)
    leak = Leak(pipe, start, diameter_m)
    duration_s = int(hours * 3600)
    run = run_scenario(
        network,
        load_layout(network),
        start_at=start,
        duration_s=duration_s,
        leaks=[leak],
        record="all",
    )
    model: Any = wntr.morph.split_pipe(network.water_network(), pipe, "half", "middle")
    model.get_node("middle").add_leak(
        model, area=leak.area_m2, discharge_coeff=leak.discharge_coeff, start_time=0
    )
    hydraulic = model.options.hydraulic
    hydraulic.demand_model = "PDD"
    hydraulic.minimum_pressure, hydraulic.required_pressure = 0.0, REQUIRED_PRESSURE_M
    model.options.time.duration = duration_s
    model.options.time.hydraulic_timestep = model.options.time.report_timestep = STEP_S
    begin = time.perf_counter()
    result = wntr.sim.WNTRSimulator(model).run_sim()
    spent_s = time.perf_counter() - begin
    pressure = run.everything["pressure"]
    expected = result.node["pressure"][list(pressure.ids)].to_numpy()
    leaked = result.node["leak_demand"]["middle"].to_numpy()[1:]
    return (
        spent_s,
        float(np.abs(pressure.values - expected).max()),
        float(np.abs(run.leak_flow[1:, 0] / leaked - 1).max()),
    )


def official_volumes(network: Network, truth: Path, days: int) -> tuple[float, float, int]:
    """Compare leak volumes of BattLeDIM's 2019 schedule with the official leak series.

    Returns
    -------
    tuple
        Largest difference of one leak and of the total (shares), number of leaks compared.
    """
    leaks = read_leaks(truth)
    official = pl.read_parquet(truth / "leak_flows.parquet")
    begin = datetime(2019, 1, 1, tzinfo=UTC)
    steps = days * DAY_S // STEP_S
    run = run_scenario(
        network,
        layout_from_headers(network, {"pressure": ["n1"]}),
        start_at=begin,
        duration_s=(steps - 1) * STEP_S,
        leaks=leaks,
    )
    ours_m3 = run.leak_flow_m3_per_h().sum(axis=0) * STEP_S / 3600
    # Hundredths of m3/h, one column per leak, named `<number>_<pipe>`.
    theirs_m3 = np.array(
        [official[f"{i}_{leak.link_id}"][:steps].sum() / 100 * STEP_S / 3600
         for i, leak in enumerate(leaks)]
    )  # fmt: skip
    known = theirs_m3 > 1
    each = np.abs(ours_m3[known] / theirs_m3[known] - 1).max() if known.any() else 0.0
    total = abs(ours_m3.sum() / theirs_m3.sum() - 1) if known.any() else 0.0
    return float(each), float(total), int(known.sum())


def figures(*, smoke: bool = False) -> Iterator[Figure]:
    """Yield times against the references; a smoke run is a day, Hanoi alone, and no year."""
    days = 1 if smoke else 7
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(LEAK_ASSETS_HOME=home)
        ltown = resolve("l-town", settings)
        full = load_layout(ltown)
        layout = SensorLayout(
            full.network, tuple(s for s in full.sensors if s.quantity in QUANTITIES)
        )
        nominal, noisy = Town.nominal(ltown), Town.draw(ltown, 1)
        bare_s, engine_s = week(ltown, layout, nominal, days)
        label = f"L-Town, {days} days, 3 leaks, {len(layout.sensors)} sensors"
        yield Figure(TOPIC, f"{label}: bare stepping, nothing read", bare_s, "s")
        yield Figure(TOPIC, f"{label}: engine", engine_s / bare_s, "× bare", "≤ 1.4")
        noisy_s = week(ltown, full, noisy, days)
        label = f"L-Town, {days} days, 3 leaks, {len(full.sensors)} sensors, noisy demand: engine"
        yield Figure(TOPIC, label, noisy_s[1] / noisy_s[0], "× bare")
        for name, pipe, diameter_m, hours in CASES[:1] if smoke else CASES:
            network = resolve(name, settings)
            wntr_s, pressure_m, flow = against_wntr(network, pipe, diameter_m, hours)
            label = f"{name}, {hours:g} h, against WNTRSimulator: largest"
            yield Figure(TOPIC, f"{label} pressure difference", pressure_m, "m", "≤ 0.02")
            yield Figure(TOPIC, f"{label} leak flow difference", 100 * flow, "%", "≤ 0.5")
        if not smoke:
            # One hour of WNTRSimulator stands for all of the week: it takes the same for each.
            ratio = wntr_s * 24 * days / engine_s
            label = "L-Town, WNTRSimulator (an hour, times 168) against the engine"
            yield Figure(TOPIC, label, ratio, "×", "≥ 200")
        truth = _shared() / "data" / "battledim-official" / "truth"
        label = "BattLeDIM 2019, leak volumes against the official series"
        if not truth.is_dir():
            yield Figure(TOPIC, label, "the official data are not here")
            return
        each, total, count = official_volumes(ltown, truth, 10 if smoke else 365)
        yield Figure(TOPIC, f"{label}: worst of {count} leaks", 100 * each, "%", "≤ 2")
        yield Figure(TOPIC, f"{label}: total", 100 * total, "%", "≤ 0.5")


def _shared() -> Path:
    return Path(os.environ.get("LEAK_ASSETS_SHARED", Path(__file__).parents[3] / "shared"))


if __name__ == "__main__":
    print_figures(figures(smoke="--smoke" in sys.argv))
