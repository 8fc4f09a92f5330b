"""What EPANET's warnings mean for a run, with time and element.

A solution that cannot be trusted stops the run; what a real network may do is noted.
"""

from typing import Any

from leak_assets.errors import HydraulicError
from leak_assets.hydraulics.epanet import project as epanet

# EPANET's pump states: cannot deliver the head, cannot deliver the flow.
_FAILED_PUMP = (0, 5)
_NAMED = 5
_LEVEL_TOLERANCE_M = 0.01


def note_warning(
    code: int,
    network: str,
    project: epanet.EpanetProject,
    model: Any,
    notes: dict[str, None],
) -> None:
    """Add a warning of the last solution to the notes.

    Negative pressures are not noted: the recorder counts them.

    Raises
    ------
    HydraulicError
        No balanced solution, or demand that is cut off from every source.
    """
    at = f"{network} at {epanet.clock(project.now_s)} of the simulation"
    if code == epanet.WARN_NEGATIVE:
        return
    if code == epanet.WARN_UNBALANCED:
        raise HydraulicError(
            f"{at}: EPANET found no balanced solution{_stuck_tanks(project, model)}"
        )
    if code == epanet.WARN_DISCONNECTED:
        check_supply(network, project, model)
    text = {
        epanet.WARN_UNSTABLE: "the solution may be unstable",
        epanet.WARN_PUMP: f"pump cannot deliver head or flow: {_failed_pumps(project, model)}",
        epanet.WARN_VALVE: "a valve cannot deliver its set-point",
    }.get(code, f"EPANET warning {code}")
    notes.setdefault(f"{at}: {text}")


def check_supply(network: str, project: epanet.EpanetProject, model: Any) -> None:
    """Refuse a state in which closed links cut nodes off from every source.

    Raises
    ------
    HydraulicError
        Names the time and the first nodes.
    """
    if lost := _cut_off(project, model):
        raise HydraulicError(
            f"{network} at {epanet.clock(project.now_s)} of the simulation:"
            f" cut off from every source: {lost}"
        )


def _cut_off(project: epanet.EpanetProject, model: Any) -> str:
    """Name nodes that no open link joins to a source."""
    import networkx as nx

    names = list(model.link_name_list)
    status = project.link_reader([project.link_index(n) for n in names], epanet.LINK_STATUS)()
    graph: Any = nx.Graph()
    graph.add_nodes_from(model.node_name_list)
    for name, is_open in zip(names, status, strict=True):
        if is_open:
            link = model.get_link(name)
            graph.add_edge(link.start_node_name, link.end_node_name)
    sources = {*model.reservoir_name_list, *model.tank_name_list}
    lost = [
        node
        for part in nx.connected_components(graph)
        if not part & sources
        for node in sorted(part)
    ]
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return ", ".join(lost[:_NAMED]) + more


def _stuck_tanks(project: epanet.EpanetProject, model: Any) -> str:
    """Name tanks that are empty or full: the usual reason where supply and demand are fixed."""
    names = list(model.tank_name_list)
    levels = project.node_reader([project.node_index(n) for n in names], epanet.NODE_PRESSURE)()
    stuck = []
    for name, level in zip(names, levels, strict=True):
        tank = model.get_node(name)
        if level <= tank.min_level + _LEVEL_TOLERANCE_M:
            stuck.append(f"tank {name} is empty")
        elif level >= tank.max_level - _LEVEL_TOLERANCE_M:
            stuck.append(f"tank {name} is full")
    return f"; {', '.join(stuck)}" if stuck else ""


def _failed_pumps(project: epanet.EpanetProject, model: Any) -> str:
    names = list(model.pump_name_list)
    indices = [project.link_index(n) for n in names]
    state = project.link_reader(indices, epanet.LINK_PUMP_STATE)()
    return ", ".join(n for n, s in zip(names, state, strict=True) if int(s) in _FAILED_PUMP)
