"""Runs scenarios through EPANET in process: one open project per town, many scenarios.

Between steps the leaks' emitters and the events' links are set; only instrumented elements are
read. The loop is
EPANET's own, so its controls (tank pumps, time and level rules) stay in use and intermediate
events are stepped over. Times given to `AT TIME` controls count from the start of each run.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError, InputError
from leak_assets.hydraulics.epanet import project as epanet
from leak_assets.hydraulics.towns.demand import DemandModel, DemandStream
from leak_assets.hydraulics.towns.events import Event, check_events
from leak_assets.hydraulics.towns.leaks import Leak, check_leaks
from leak_assets.hydraulics.towns.sensing import measure
from leak_assets.hydraulics.towns.sensor_faults import SensorFault, apply_faults, check_faults
from leak_assets.hydraulics.towns.town import Town
from leak_assets.hydraulics.towns.town_model import TownModel, write_town_model
from leak_assets.sites.layout import check_sensors
from leak_assets.sites.registry import Network
from leak_assets.sites.sensors import SensorLayout
from leak_assets.system.clock import as_utc

from .actuators import Actuators, Draws
from .diagnosis import check_supply, note_warning
from .emitters import REFERENCE_PRESSURE_M, Emitters, LeakSites, base_emitters
from .recorder import Recorder
from .scenario_run import ScenarioRun, Series

Array = NDArray[np.float64]
# Patterns are filled a week at a time (of 5-minute steps), so memory does not grow with the run.
_CHUNK_STEPS = 2016
# The calendar of demands counts from 1970; the rest is room for plans.
FIRST_YEAR, LAST_YEAR = 1970, 2200
_LONGEST = timedelta(days=366 * (LAST_YEAR - FIRST_YEAR))


class TownEngine:
    """An open EPANET project of one town; use it as a context manager.

    Parameters
    ----------
    leak_pipes
        Every pipe that leaks in one of the runs to come.
    draw_nodes
        Every junction at which an event draws water in one of them.

    Raises
    ------
    InputError
        Unusable model, layout or leak pipes.
    HydraulicError
        EPANET refuses the model.
    """

    def __init__(
        self,
        network: Network,
        layout: SensorLayout,
        town: Town,
        leak_pipes: Iterable[str] = (),
        draw_nodes: Iterable[str] = (),
    ) -> None:
        if town.network != network.name:
            raise InputError(
                f"the town belongs to {town.network}, not to {network.name}",
                remedy="Draw the town for the same network",
            )
        check_sensors(network, layout.sensors)
        self.network, self.layout, self.town = network, layout, town
        # A folder per process and engine: EPANET's and WNTR's default names collide.
        self._folder = Path(tempfile.mkdtemp(prefix="leak-assets-"))
        try:
            self._model: TownModel = write_town_model(
                network, town, leak_pipes, self._folder, draw_nodes
            )
            self._project = epanet.EpanetProject(self._model.inp_path, self._folder)
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        self._demand = DemandModel(
            network, self._model.model, town, list(self._model.demand_pattern)
        )
        self._patterns = [
            self._project.pattern_index(name) for name in self._model.demand_pattern.values()
        ]
        self._draw_patterns = {
            node: self._project.pattern_index(name)
            for node, name in self._model.draw_pattern.items()
        }
        self._other_patterns = _source_patterns(self._model.model)
        self._base_emitter = base_emitters(self._model, town)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close EPANET and delete the private folder."""
        self._project.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(
        self,
        *,
        start_at: datetime,
        duration_s: int = 86400,
        step_s: int = 300,
        leaks: Sequence[Leak] = (),
        events: Sequence[Event] = (),
        faults: Sequence[SensorFault] = (),
        seed: int = 0,
        record: Literal["instrumented", "all"] = "instrumented",
        tank_levels: Mapping[str, float] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> ScenarioRun:
        """Run one scenario.

        Parameters
        ----------
        start_at
            Time of the first step; demands follow the calendar from it.
        events, faults
            What else happens in the network, and what goes wrong with its sensors.
        duration_s, step_s
            Simulated time and step: `duration_s / step_s + 1` rows.
        seed
            Of demand and sensor noise.
        record
            `all` also keeps every node and link.
        tank_levels
            Levels in m at the start; the model's initial level where not given.
        progress
            Called about once a simulated week with the steps done and those of the run.

        Raises
        ------
        InputError
            Impossible leak, event, fault, step or duration.
        HydraulicError
            EPANET did not find a solution; names time and element.
        """
        start_at = as_utc(start_at, "start")
        if step_s <= 0 or duration_s < 0 or duration_s % step_s:
            raise InputError(
                f"a duration of {duration_s} s is not a multiple of the step of {step_s} s",
                remedy="Choose a positive step that divides the duration",
            )
        check_leaks(self._model.model, leaks)
        check_events(self._model.model, self.layout, events, self.town.closed_pipes)
        check_faults(self.layout, faults, step_s)
        steps = duration_s // step_s + 1
        if (
            not start_at.year >= FIRST_YEAR
            or duration_s > _LONGEST.total_seconds()
            or (start_at + timedelta(seconds=duration_s)).year > LAST_YEAR
        ):
            raise InputError(
                f"a run of {duration_s / 86400:,.0f} days from {start_at:%Y-%m-%d}",
                remedy=f"Simulate time within the years {FIRST_YEAR} to {LAST_YEAR}",
            )
        sites = self._sites(leaks, start_at, step_s, steps)
        draws = self._draws(events, start_at, step_s, steps)
        stream = self._demand.stream(start_at, step_s, seed)
        recorder = Recorder(
            self._project, self._model, self.layout, self._base_emitter, self.town.leak_exponent
        )
        self._prepare(start_at, duration_s, step_s, tank_levels or {})
        recorder.start(steps, sites, draws, record_all=record == "all")
        actuators = Actuators(self._project, events, start_at, step_s, steps)
        warnings = self._loop(
            stream,
            sites,
            draws,
            actuators,
            recorder,
            step_s=step_s,
            steps=steps,
            progress=progress,
        )
        true, everything, leak_flow, draw_flow = recorder.result()
        seen = {q: s.values.copy() for q, s in true.items()}
        for event in events:
            if event.effect == "meter":
                column = self.layout.ids("flow").index(event.element_id)
                seen["flow"][event.is_on(start_at, step_s, steps), column] *= event.size
        measured = apply_faults(
            measure(seen, self.layout, self.town, seed),
            self.layout,
            faults,
            start_at=start_at,
            step_s=step_s,
            seed=seed,
        )
        return ScenarioRun(
            network=self.network.name,
            layout=self.layout,
            town=self.town,
            start_at=start_at,
            step_s=step_s,
            seed=seed,
            leaks=tuple(leaks),
            events=tuple(events),
            faults=tuple(faults),
            measured={q: Series(true[q].ids, values) for q, values in measured.items()},
            true=true,
            everything=everything,
            leak_flow=leak_flow,
            draw_flow=draw_flow,
            negative_pressures=recorder.negative_pressures,
            warnings=tuple(warnings),
        )

    def _draws(self, events: Sequence[Event], start_at: datetime, step_s: int, steps: int) -> Draws:
        draws = Draws.of(events, start_at, step_s, steps)
        for node in draws.nodes:
            if node not in self._draw_patterns:
                raise InputError(
                    f"event at junction {node}: the engine was opened without it",
                    remedy="Name it in draw_nodes",
                )
        return draws

    def _sites(
        self, leaks: Sequence[Leak], start_at: datetime, step_s: int, steps: int
    ) -> LeakSites:
        """Translate leaks into emitters: where, and how large at each step."""
        nodes = []
        for leak in leaks:
            if leak.link_id is not None and leak.link_id not in self._model.leak_nodes:
                raise InputError(
                    f"leak at pipe {leak.link_id}: the engine was opened without it",
                    remedy="Name it in leak_pipes",
                )
            nodes.append(
                leak.node_id if leak.link_id is None else self._model.leak_nodes[leak.link_id]
            )
        exponent = self.town.leak_exponent
        coefficients = np.zeros((steps, len(leaks)))
        for i, leak in enumerate(leaks):
            peak = leak.coefficient(exponent, REFERENCE_PRESSURE_M) * 3600
            coefficients[:, i] = peak * leak.opening(start_at, step_s, steps)
        return LeakSites([str(n) for n in nodes], coefficients)

    def _prepare(
        self, start_at: datetime, duration_s: int, step_s: int, tank_levels: Mapping[str, float]
    ) -> None:
        project = self._project
        for name, tank in self._model.model.tanks():
            level = float(tank_levels.get(name, tank.init_level))
            project.set_node(project.node_index(name), epanet.NODE_TANK_LEVEL, level)
        # In this order: EPANET refuses steps beyond the duration, and cuts a hydraulic step down to
        # the pattern's and the report's that it has, those of the model or of the run before.
        project.set_time(epanet.TIME_DURATION, max(duration_s, step_s))
        project.set_time(epanet.TIME_PATTERNSTEP, step_s)
        project.set_time(epanet.TIME_REPORTSTEP, step_s)
        project.set_time(epanet.TIME_HYDSTEP, step_s)
        project.set_time(epanet.TIME_PATTERNSTART, 0)
        project.set_time(epanet.TIME_STARTTIME, int(start_at.timestamp()) % 86400)
        for node, coefficient in self._base_emitter.items():
            project.set_node(project.node_index(node), epanet.NODE_EMITTER, coefficient)
        for node in self._model.leak_nodes.values():
            project.set_node(project.node_index(node), epanet.NODE_EMITTER, 0.0)

    def _loop(
        self,
        stream: DemandStream,
        sites: LeakSites,
        draws: Draws,
        actuators: Actuators,
        recorder: Recorder,
        *,
        step_s: int,
        steps: int,
        progress: Callable[[int, int], None] | None,
    ) -> list[str]:
        """Step through the run; return EPANET's warnings."""
        project = self._project
        emitters = Emitters(project, sites, self._base_emitter, self.town.leak_exponent)
        chunk = min(_CHUNK_STEPS, steps)
        warnings: dict[str, None] = {}
        try:
            emitters.set(0)
            project.open_hydraulics()
            for k in range(steps):
                if k % chunk == 0:
                    self._fill_patterns(stream, draws, k, chunk, step_s)
                    if progress is not None:
                        progress(k, steps)
                emitters.set(k)
                actuators.set(k)
                if code := project.run():
                    note_warning(code, self.network.name, project, self._model.model, warnings)
                if project.now_s != k * step_s:
                    raise HydraulicError(
                        f"EPANET is at {epanet.clock(project.now_s)} instead of"
                        f" {epanet.clock(k * step_s)}"
                    )
                recorder.read(k)
                if recorder.is_dry:
                    check_supply(self.network.name, project, self._model.model)
                if k < steps - 1:
                    self._advance((k + 1) * step_s, warnings)
        finally:
            emitters.reset()
            actuators.reset()
        return list(warnings)

    def _advance(self, until_s: int, warnings: dict[str, None]) -> None:
        """Go to the next step, through the events (full tank, rule) on the way."""
        project = self._project
        while (now := project.now_s + project.next()) < until_s:
            if code := project.run():
                note_warning(code, self.network.name, project, self._model.model, warnings)
            if project.now_s != now:
                raise HydraulicError(f"EPANET did not advance at {epanet.clock(now)}")

    def _fill_patterns(
        self, stream: DemandStream, draws: Draws, k: int, chunk: int, step_s: int
    ) -> None:
        """Give EPANET the demands, draws and source patterns of the next chunk."""
        columns = np.ascontiguousarray(stream.chunk(chunk).T) * 3600
        for index, values in zip(self._patterns, columns, strict=True):
            self._project.set_pattern(index, values)
        for node, index in self._draw_patterns.items():
            wanted = np.zeros(chunk)
            for i, name in enumerate(draws.nodes):
                if name == node:
                    part = draws.wanted[k : k + chunk, i]
                    wanted[: len(part)] += part
            self._project.set_pattern(index, wanted)
        at_s = stream.start_s + (np.arange(chunk, dtype=np.int64) + k) * step_s
        for name in self._other_patterns:
            values = np.ascontiguousarray(stream.calendar.values(name, at_s, stream.start_s))
            self._project.set_pattern(self._project.pattern_index(name), values)


def run_scenario(
    network: Network,
    layout: SensorLayout,
    *,
    start_at: datetime,
    duration_s: int = 86400,
    step_s: int = 300,
    town: Town | None = None,
    leaks: Sequence[Leak] = (),
    events: Sequence[Event] = (),
    faults: Sequence[SensorFault] = (),
    seed: int = 0,
    record: Literal["instrumented", "all"] = "instrumented",
    progress: Callable[[int, int], None] | None = None,
) -> ScenarioRun:
    """Run one scenario in an engine of its own; see `TownEngine.run`.

    Without a town the model is taken as it is: no noise, perfect sensors.
    """
    town = town or Town.nominal(network)
    model = network.shared_model()
    check_leaks(model, leaks)
    check_events(model, layout, events, town.closed_pipes)
    pipes = [leak.link_id for leak in leaks if leak.link_id is not None]
    nodes = [event.element_id for event in events if event.effect == "draw"]
    with TownEngine(network, layout, town, pipes, nodes) as engine:
        return engine.run(
            start_at=start_at,
            duration_s=duration_s,
            step_s=step_s,
            leaks=leaks,
            events=events,
            faults=faults,
            seed=seed,
            record=record,
            progress=progress,
        )


def _source_patterns(model: Any) -> list[str]:
    """Return the patterns of reservoir heads and pump speeds."""
    heads = [reservoir.head_pattern_name for _, reservoir in model.reservoirs()]
    speeds = [pump.speed_pattern_name for _, pump in model.pumps()]
    return [name for name in dict.fromkeys([*heads, *speeds]) if name]
