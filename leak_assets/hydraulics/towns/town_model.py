"""Makes the EPANET file of a town: the model with the town's differences, leak pipes split.

Everything is written in m3/h and metres whatever the units of the user's model, so that emitter
coefficients and readings have one unit. Demands become one time pattern per junction, which the
engine fills before and during the run.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leak_assets.errors import InputError
from leak_assets.hydraulics.epanet.pressure_driven import make_pressure_driven
from leak_assets.sites.registry import Network

from .leaks import guard_leak_model
from .town import Town

# L-Town's own 0.01 hardly iterates after a warm start and is off by 0.7 m3/h at the inflow; with
# 1e-4 flows differ from a far tighter solution by less than 0.001 m3/h, pressures by 2e-6 m.
ACCURACY = 1e-4
# Characters that no EPANET name has, so made names cannot meet the user's.
LEAK_NODE = "~n{}"
LEAK_PIPE = "~p{}"
DEMAND_PATTERN = "~d{}"
DRAW_PATTERN = "~e{}"


@dataclass(frozen=True)
class TownModel:
    """The written model and what the engine must know of it.

    Parameters
    ----------
    model
        The WNTR model before splitting and before demands became patterns: true values, SI.
    leak_nodes
        Leaking pipe to the junction at its middle.
    demand_pattern
        Junction with demand to the name of its own time pattern.
    draw_pattern
        Junction at which events may draw water to the pattern of that water.
    own_emitters
        Junction to emitter coefficient that the user's model has, m3/h per m^exponent.
    """

    inp_path: Path
    model: Any
    leak_nodes: dict[str, str]
    demand_pattern: dict[str, str]
    draw_pattern: dict[str, str]
    own_emitters: dict[str, float]


def true_model(network: Network, town: Town) -> Any:
    """Return the WNTR model of a network with the differences of a town applied, SI."""
    model = network.water_network()
    for name, pipe in model.pipes():
        pipe.roughness *= town.roughness.get(name, 1.0)
        pipe.diameter *= town.diameter.get(name, 1.0)
        pipe.length *= town.length.get(name, 1.0)
    for name, offset in town.prv_offset_m.items():
        valve = model.get_link(name)
        valve.initial_setting = max(0.0, float(valve.initial_setting) + offset)
    for name in town.closed_pipes:
        model.get_link(name).initial_status = "CLOSED"
    for name, junction in model.junctions():
        for demand in junction.demand_timeseries_list:
            demand.base_value *= town.base_demand.get(name, 1.0)
    return model


def write_town_model(
    network: Network,
    town: Town,
    leak_pipes: Iterable[str],
    folder: Path,
    draw_nodes: Iterable[str] = (),
) -> TownModel:
    """Write the EPANET file of a town into a private folder.

    Parameters
    ----------
    leak_pipes
        Pipes that may leak in one of the runs; each is split at its middle, which by itself
        changes nothing.
    draw_nodes
        Junctions at which events may draw water in one of the runs.

    Raises
    ------
    LeakModelMismatch
        The model has leaks that EPANET would ignore.
    InputError
        The model has emitters of another exponent than the town's leaks (EPANET has only one),
        or a pipe without length.
    """
    import wntr

    model = true_model(network, town)
    guard_leak_model(model, "epanet")
    if short := next((name for name, pipe in model.pipes() if pipe.length <= 0), None):
        raise InputError(
            f"pipe {short!r} has no length, which EPANET does not simulate",
            remedy="Give it a length, for example 0.1 m",
            file=network.inp_path,
        )
    own_emitters = {
        name: float(junction.emitter_coefficient) * 3600
        for name, junction in model.junctions()
        if junction.emitter_coefficient
    }
    options = model.options.hydraulic
    if own_emitters and options.emitter_exponent != town.leak_exponent:
        raise InputError(
            f"{network.name} has emitters with exponent {options.emitter_exponent},"
            f" its leaks have {town.leak_exponent}",
            remedy="EPANET has one exponent for all: use the model's as the town's leak_exponent",
            file=network.inp_path,
        )

    written = true_model(network, town)
    pattern = _demands_to_patterns(written)
    draw_pattern = _add_draws(written, draw_nodes)
    leak_nodes = {}
    for number, pipe in enumerate(dict.fromkeys(leak_pipes)):
        leak_nodes[pipe] = LEAK_NODE.format(number)
        _split(written, pipe, LEAK_PIPE.format(number), leak_nodes[pipe])
    out = written.options.hydraulic
    make_pressure_driven(written)
    out.emitter_exponent = town.leak_exponent
    out.demand_multiplier = 1.0
    out.accuracy = ACCURACY
    out.headerror = out.flowchange = 0.0
    out.trials = max(out.trials, 200)
    written.options.quality.parameter = "NONE"
    written.options.report.status = "NO"
    path = folder / "town.inp"
    wntr.network.write_inpfile(written, str(path), units="CMH", version=2.2)
    make_pressure_driven(model)
    return TownModel(path, model, leak_nodes, pattern, draw_pattern, own_emitters)


def _demands_to_patterns(model: Any) -> dict[str, str]:
    """Replace the demand categories of each junction by 1 m3/h times a pattern of its own."""
    names: dict[str, str] = {}
    for number, (name, junction) in enumerate(model.junctions()):
        has_demand = any(d.base_value for d in junction.demand_timeseries_list)
        junction.demand_timeseries_list.clear()
        if has_demand:
            names[name] = DEMAND_PATTERN.format(number)
            model.add_pattern(names[name], [0.0])
            junction.add_demand(1 / 3600, names[name])
    return names


def _add_draws(model: Any, nodes: Iterable[str]) -> dict[str, str]:
    """Give junctions a second demand of 1 m3/h times a pattern that is zero for now.

    It is apart from the customers' demand, so that events change nothing of their noise.
    """
    names: dict[str, str] = {}
    for number, node in enumerate(dict.fromkeys(nodes)):
        names[node] = DRAW_PATTERN.format(number)
        model.add_pattern(names[node], [0.0])
        model.get_node(node).add_demand(1 / 3600, names[node])
    return names


def _split(model: Any, pipe_name: str, new_pipe: str, new_node: str) -> None:
    """Split a pipe at its middle; minor loss and check valve stay with the first half only."""
    import wntr

    wntr.morph.split_pipe(model, pipe_name, new_pipe, new_node, return_copy=False)
    half = model.get_link(new_pipe)
    half.minor_loss = 0.0
    half.check_valve = False
