"""Writes a scenario as one self-contained EPANET 2.2 file.

The file is the town of the run with its demands as time patterns, so that EPANET alone gives the
run again. What a run holds beside the model, telemetry and truth, is the other exports' matter.
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leak_assets.hydraulics.engine.actuators import Draws
from leak_assets.hydraulics.engine.emitters import REFERENCE_PRESSURE_M, base_emitters
from leak_assets.hydraulics.engine.run import _CHUNK_STEPS
from leak_assets.hydraulics.engine.scenario_run import ScenarioRun
from leak_assets.hydraulics.epanet.pressure_driven import delivered_share
from leak_assets.hydraulics.towns.demand import DemandModel
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town_model import (
    LEAK_NODE,
    LEAK_PIPE,
    TownModel,
    write_town_model,
)
from leak_assets.sites.model_file import read_model
from leak_assets.sites.registry import Network
from leak_assets.system.files import publish
from leak_assets.units import SECONDS_PER_HOUR

Array = NDArray[np.float64]
LeaksAs = Literal["flow", "emitter"]
# Patterns of leaks and of drawing events; no EPANET name has such a character.
_LEAK_PATTERN, _DRAW_PATTERN = "~l{}", "~w{}"
_LONGEST_ID = 31  # EPANET 2.2, EN_MAXID
# Below this share of its demand a junction is as good as dry, and its demand means nothing.
_LEAST_SHARE = 1e-3
_MINUTE = "%Y-%m-%d %H:%M"


def write_scenario_inp(
    network: Network,
    run: ScenarioRun,
    path: Path,
    *,
    leaks_as: LeaksAs = "flow",
    tank_levels: Mapping[str, float] | None = None,
) -> tuple[str, ...]:
    """Write the EPANET file of a run: m3/h, metres, pressure driven demand.

    Parameters
    ----------
    network
        Network of the run.
    leaks_as
        EPANET cannot change an emitter during a run. `flow` gives each leak's node a demand that
        is the leak flow of the run (more where pressure driven demand would cut it), so EPANET
        gives the pressures of the run. `emitter` leaves each leak open, at its peak, from the
        first step to the last, so its flow answers to pressure; the period of the leak is lost.
        The lines below `[TITLE]` say which it is.
    tank_levels
        Levels in m at the start, as given to `TownEngine.run`; without them those that the run
        recorded, else the model's.

    Returns
    -------
    tuple of str
        For each leak of the run the junction of the file where it is: the leaking node, or a
        junction `<pipe>_leaknode` at the middle of the pipe (names as in BattLeDIM's generator).

    Notes
    -----
    Demands are those that the engine asked for, from the town and the seed of the run: one
    pattern per junction with one value per step, about 8 bytes each. Events that draw water are
    demands too; events that operate links are named in the file and left out.
    """
    with tempfile.TemporaryDirectory(prefix="leak-assets-") as name:
        folder = Path(name)
        pipes = [leak.link_id for leak in run.leaks if leak.link_id is not None]
        town = write_town_model(network, run.town, pipes, folder)
        model = read_model(town.inp_path)
        _set_demands(model, network, town, run)
        _set_times(model, run)
        for node, coefficient in base_emitters(town, run.town).items():
            model.get_node(node).emitter_coefficient = coefficient / SECONDS_PER_HOUR
        for tank, level in (_recorded_levels(model, run) | dict(tank_levels or {})).items():
            model.get_node(tank).init_level = level
        nodes = [
            str(leak.node_id) if leak.link_id is None else town.leak_nodes[leak.link_id]
            for leak in run.leaks
        ]
        for number, (leak, node) in enumerate(zip(run.leaks, nodes, strict=True)):
            if leaks_as == "emitter":
                peak = leak.coefficient(run.town.leak_exponent, REFERENCE_PRESSURE_M)
                junction = model.get_node(node)
                junction.emitter_coefficient = (junction.emitter_coefficient or 0.0) + peak
            else:
                wanted = _wanted(model, run, number)
                _add_demand(model, node, _LEAK_PATTERN.format(number), wanted)
        draws = Draws.of(run.events, run.start_at, run.step_s, run.steps)
        for number, node in enumerate(draws.nodes):
            _add_demand(model, node, _DRAW_PATTERN.format(number), draws.wanted[:, number])
        text = model_text(model, folder / "written.inp", units="CMH")
    names = _plain_names(model, town.leak_nodes)
    text = re.sub(r"~[np]\d+", lambda found: names.get(found[0], found[0]), text)
    places = tuple(names.get(node, node) for node in nodes)
    publish(path, _with_title(text, run, places, leaks_as).encode())
    return places


def model_text(model: Any, scratch: Path, *, units: str | None = None) -> str:
    """Return a WNTR model as the text of an `.inp`, the same for the same model.

    Parameters
    ----------
    scratch
        File that may be written and is removed: WNTR writes to files only.
    units
        EPANET's flow units; the model's own without it.
    """
    import wntr

    wntr.network.write_inpfile(model, str(scratch), units=units, version=2.2)
    text = scratch.read_text("utf-8")
    scratch.unlink()
    # WNTR begins with comments that hold the time and the path of writing.
    return text[text.index("[TITLE]") :]


def _set_demands(model: Any, network: Network, town: TownModel, run: ScenarioRun) -> None:
    """Fill the patterns of demands and sources with what the engine gave EPANET."""
    demand = DemandModel(network, town.model, run.town, list(town.demand_pattern))
    stream = demand.stream(run.start_at, run.step_s, run.seed)
    # Noise comes from the stream in chunks of the engine's size; other chunks are other noise.
    chunk = min(_CHUNK_STEPS, run.steps)
    values = np.concatenate([stream.chunk(chunk) for _ in range(0, run.steps, chunk)])[: run.steps]
    for column, pattern in enumerate(town.demand_pattern.values()):
        model.get_pattern(pattern).multipliers = values[:, column] * SECONDS_PER_HOUR
    at_s = stream.start_s + np.arange(run.steps, dtype=np.int64) * run.step_s
    model.options.hydraulic.pattern = None
    for pattern in set(model.pattern_name_list) - set(town.demand_pattern.values()):
        multipliers = stream.calendar.values(pattern, at_s, stream.start_s)
        model.get_pattern(pattern).multipliers = multipliers


def _set_times(model: Any, run: ScenarioRun) -> None:
    time = model.options.time
    time.duration = max((run.steps - 1) * run.step_s, run.step_s)
    time.hydraulic_timestep = time.pattern_timestep = time.report_timestep = run.step_s
    time.pattern_start = time.report_start = 0
    time.start_clocktime = int(run.start_at.timestamp()) % 86400


def _recorded_levels(model: Any, run: ScenarioRun) -> dict[str, float]:
    """Return the levels of tanks at the start, as far as the run has them."""
    tanks = set(model.tank_name_list)
    levels: dict[str, float] = {}
    for series in (run.everything.get("pressure"), run.true.get("level")):
        if series is not None:
            first = zip(series.ids, series.values[0].tolist(), strict=True)
            levels |= {name: level for name, level in first if name in tanks}
    return levels


def _wanted(model: Any, run: ScenarioRun, number: int) -> Array:
    """Return the demand, m3/h (T), of which pressure leaves the leak flow of the run.

    The pressure at the leak follows from its flow: Q = C·p^exponent.
    """
    leak, exponent = run.leaks[number], run.town.leak_exponent
    flow = run.leak_flow[:, number]
    opening = leak.opening(run.start_at, run.step_s, run.steps)
    coefficient = leak.coefficient(exponent, REFERENCE_PRESSURE_M) * opening
    ratio = np.divide(flow, coefficient, out=np.zeros_like(flow), where=coefficient > 0)
    share = delivered_share(model, np.maximum(ratio, 0.0) ** (1 / exponent))
    wanted: Array = flow / np.maximum(share, _LEAST_SHARE) * SECONDS_PER_HOUR
    return wanted


def _add_demand(model: Any, node: str, pattern: str, values_m3_per_h: Array) -> None:
    model.add_pattern(pattern, values_m3_per_h.tolist())
    demands = model.get_node(node).demand_timeseries_list
    if len(demands) == 1 and not demands[0].base_value:
        demands.clear()
    model.get_node(node).add_demand(1 / SECONDS_PER_HOUR, pattern)


def _plain_names(model: Any, leak_nodes: Mapping[str, str]) -> dict[str, str]:
    """Return readable names for the made nodes and pipes, where they are free and not too long."""
    taken = {*model.node_name_list, *model.link_name_list}
    names = {}
    for number, pipe in enumerate(leak_nodes):
        for made, plain in (
            (LEAK_NODE.format(number), f"{pipe}_leaknode"),
            (LEAK_PIPE.format(number), f"{pipe}_Bleak"),
        ):
            if plain not in taken and len(plain) <= _LONGEST_ID:
                names[made] = plain
    return names


def _with_title(text: str, run: ScenarioRun, places: tuple[str, ...], leaks_as: LeaksAs) -> str:
    """Replace the title: EPANET shows its first three lines, comments tell the rest."""
    end = run.times[-1]
    town = "as the model" if run.town.seed is None else f"town {run.town.seed}"
    how = {
        "flow": "Leaks: demands that are the leak flow of the run, step by step",
        "emitter": "Leaks: emitters open at their peak from the first step to the last",
    }
    lines = [
        "[TITLE]",
        f"{run.network[:40]}: scenario run, seed {run.seed}, {town}",
        f"{run.start_at:{_MINUTE}} to {end:{_MINUTE}} UTC, step {run.step_s} s",
        f"{how[leaks_as]} ({len(run.leaks)})" if run.leaks else "No leaks",
    ]
    lines += [
        f"; leak at junction {place}: {_told(leak)}"
        for leak, place in zip(run.leaks, places, strict=True)
    ]
    lines += [
        f"; {'demand' if event.effect == 'draw' else 'NOT IN THIS FILE'}: event {event.kind}"
        f" at {event.element_id}, {event.start_at:{_MINUTE}} to {event.end_at:{_MINUTE}}"
        for event in run.events
    ]
    rest = text[text.index("\n[", 1) :]
    return "\n".join(lines) + "\n" + rest


def _told(leak: Leak) -> str:
    until = "the end of the run" if leak.end_at is None else f"{leak.end_at:{_MINUTE}}"
    return (
        f"{leak.place}, {leak.kind}, {leak.diameter_m * 1000:g} mm, open from"
        f" {leak.start_at:{_MINUTE}} (full size {leak.peak:{_MINUTE}}) to {until}"
    )
