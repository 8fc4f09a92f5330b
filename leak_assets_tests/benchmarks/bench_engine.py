"""Seconds per L-Town day: the engine, bare EPANET stepping, and WNTRSimulator.

Run it: python leak_assets_tests/benchmarks/bench_engine.py
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leak_assets.hydraulics import epanet
from leak_assets.hydraulics.engine import TownEngine
from leak_assets.hydraulics.leaks import Leak
from leak_assets.hydraulics.town import Town
from leak_assets.hydraulics.town_model import write_town_model
from leak_assets.networks import Network, SensorLayout, load_layout, resolve
from leak_assets.settings import Settings

START = datetime(2019, 1, 15, tzinfo=UTC)
PIPES = ("p523", "p1", "p800")
REPEATS = 5


def median_s(work: Callable[[], object]) -> float:
    """Return the median wall time of several calls."""
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def engine_day_s(network: Network, layout: SensorLayout, town: Town) -> float:
    """Return the time of one day with 3 leaks in an open engine, all sensors read."""
    leaks = [Leak(p, START + timedelta(hours=6 + i), 0.015) for i, p in enumerate(PIPES)]
    with TownEngine(network, layout, town, PIPES) as engine:
        return median_s(lambda: engine.run(start_at=START, leaks=leaks, seed=1))


def opening_s(network: Network, layout: SensorLayout, town: Town) -> float:
    """Return the time to write and open a town."""
    return median_s(lambda: TownEngine(network, layout, town, PIPES).close())


def bare_day_s(network: Network, layout: SensorLayout) -> float:
    """Return the time of stepping the same model and accuracy with nothing read or set."""
    with tempfile.TemporaryDirectory() as folder:
        town = Town.nominal(network)
        model = write_town_model(network, town, PIPES, Path(folder))
        del layout
        with epanet.EpanetProject(model.inp_path, Path(folder)) as project:
            _fill_patterns(project, network, town, model)
            project.set_time(epanet.TIME_DURATION, 86400)

            def step_through() -> None:
                project.open_hydraulics()
                while True:
                    project.run()
                    if not project.next():
                        return

            return median_s(step_through)


def _fill_patterns(project, network: Network, town: Town, model) -> None:
    import numpy as np

    from leak_assets.hydraulics.demand import DemandModel

    junctions = list(model.demand_pattern)
    demand = DemandModel(network, model.model, town, junctions).stream(START, 300, 1).chunk(289)
    columns = np.ascontiguousarray(demand.T) * 3600
    for name, values in zip(model.demand_pattern.values(), columns, strict=True):
        project.set_pattern(project.pattern_index(name), values)


def wntr_day_s(network: Network) -> float:
    """Return the time of an hour of WNTRSimulator with one leak, times 24."""
    import wntr

    model = wntr.morph.split_pipe(network.water_network(), PIPES[0], "half", "middle")
    model.get_node("middle").add_leak(model, area=3.2e-4, discharge_coeff=0.75, start_time=0)
    model.options.hydraulic.demand_model = "PDD"
    model.options.time.duration = 3600 - 300
    begin = time.perf_counter()
    wntr.sim.WNTRSimulator(model).run_sim()
    return 24 * (time.perf_counter() - begin)


def main(*, smoke: bool = False) -> None:
    """Print the table; a smoke run leaves WNTRSimulator out, which takes a minute."""
    with tempfile.TemporaryDirectory() as home:
        network = resolve("l-town", Settings(LEAK_ASSETS_HOME=home))
        layout = load_layout(network)
        nominal = Town.nominal(network)
        bare = bare_day_s(network, layout)
        rows = {
            "bare EPANET stepping, nothing read": bare,
            "engine, nominal demand, 3 leaks, all sensors": engine_day_s(network, layout, nominal),
            "engine, noisy town, 3 leaks, all sensors": engine_day_s(
                network, layout, Town.draw(network, 1)
            ),
            "opening a town (once per batch)": opening_s(network, layout, nominal),
        }
        if not smoke:
            rows["WNTRSimulator (one hour times 24)"] = wntr_day_s(network)
    for name, seconds in rows.items():
        sys.stdout.write(f"{name:50s} {seconds:8.3f} s  {seconds / bare:8.2f} × bare\n")


if __name__ == "__main__":
    main()
