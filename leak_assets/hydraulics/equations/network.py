"""A network's equations: which links join which nodes, and the law each follows in a steady state.

Built from a model and a state that EPANET found; solving for what changes is `linear`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError
from leak_assets.hydraulics.epanet.snapshots import SteadyState

from .elements import (
    CLOSED_RESISTANCE,
    OPEN_RESISTANCE,
    VISCOSITY_M2_PER_S,
    Elements,
    Floats,
    Ints,
    Law,
    minor_resistance,
    pipe_resistance,
)
from .switches import HEAD_TOLERANCE_M, Switch

# What tells an active valve from an open one: EPANET's accuracy, far below what a valve takes.
_SAME_HEAD_M = 5e-3
_SAME_FLOW = 1e-4
# 550 ft·lb/s of a horsepower through water of 62.4 lb/ft3, in watt and m4/s.
_WATT_PER_M4_PER_S = 62.4 * 4.4482216 / 0.3048**3


class NotLinearizedError(HydraulicError):
    """A state that these equations do not describe; EPANET alone can say what changes."""


class Equations:
    """Nodes and links of a model as arrays, for one layout of fixed heads.

    Nodes are the junctions, then tanks and reservoirs, then one node outside per emitter: EPANET
    sees an emitter as a pipe to the open air, and so do these equations.

    Parameters
    ----------
    model
        `wntr.network.WaterNetworkModel` as `Snapshots` prepared it.

    Attributes
    ----------
    junctions, links
        Names, in the order of all arrays (J; the first L of the links have names).
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.junctions: tuple[str, ...] = tuple(model.junction_name_list)
        self.links: tuple[str, ...] = tuple(model.link_name_list)
        self.nodes: tuple[str, ...] = (
            *self.junctions,
            *model.tank_name_list,
            *model.reservoir_name_list,
        )
        self.node_number = {name: i for i, name in enumerate(self.nodes)}
        self.link_number = {name: i for i, name in enumerate(self.links)}
        emitters = [
            (name, float(junction.emitter_coefficient))
            for name, junction in model.junctions()
            if junction.emitter_coefficient
        ]
        ends = [
            (self.node_number[link.start_node_name], self.node_number[link.end_node_name])
            for _, link in model.links()
        ]
        ends += [
            (self.node_number[name], len(self.nodes) + i) for i, (name, _) in enumerate(emitters)
        ]
        self.start: Ints = np.array([one for one, _ in ends], dtype=np.int64)
        self.end: Ints = np.array([other for _, other in ends], dtype=np.int64)
        self._air = np.array([float(model.get_node(name).elevation) for name, _ in emitters])
        self._emitters = np.array([coefficient for _, coefficient in emitters])
        self.node_count = len(self.nodes) + len(emitters)
        self._fill_static(len(ends))

    def incidence(self) -> Any:
        """Return +1 at the start and −1 at the end of each link, of junctions (L × J, sparse)."""
        import scipy.sparse as sp

        count = self.start.size
        rows = np.arange(count)
        both = sp.csr_matrix(
            (
                np.concatenate([np.ones(count), -np.ones(count)]),
                (np.concatenate([rows, rows]), np.concatenate([self.start, self.end])),
            ),
            shape=(count, self.node_count),
        )
        return both[:, : len(self.junctions)].tocsr()

    def in_state(self, state: SteadyState) -> tuple[Elements, list[Switch], Floats, Floats]:
        """Return the laws in a state, what may switch, heads of all nodes and flows of all links.

        Raises
        ------
        NotLinearizedError
            An element that these equations do not know, or a status that its state does not tell.
        """
        base = self._static
        law, resistance, minor = base.law.copy(), base.resistance.copy(), base.minor.copy()
        exponent, shutoff = base.exponent.copy(), base.shutoff.copy()
        curves = dict(base.curves)
        head = np.concatenate([state.head_m, self._air])
        flow = np.concatenate([state.flow_m3_per_s, self._emitter_flow(state.head_m)])
        switches = self._one_way(state)
        for i, (name, link) in enumerate(self._model.links()):
            if not state.is_open[i]:
                law[i], resistance[i] = Law.RESISTANCE, CLOSED_RESISTANCE
            if link.link_type == "Pump":
                speed = state.setting[i]
                if law[i] == Law.PUMP:
                    shutoff[i] *= speed**2
                    resistance[i] *= speed ** (2.0 - exponent[i])
                elif law[i] == Law.CURVE:
                    flows, losses = curves[i]
                    curves[i] = (flows * speed, losses * speed**2)
                elif law[i] == Law.HORSEPOWER and speed != 1.0:
                    raise NotLinearizedError(f"pump {name} has constant power and a speed")
            elif link.link_type == "Valve" and _is_automatic(link):
                switch, active = self._valve(i, link, state)
                if switch is not None:
                    switches.append(switch)
                if state.is_open[i]:
                    law[i], minor[i] = active.law, active.minor
                    resistance[i] = active.resistance
        elements = Elements(
            law,
            resistance,
            exponent,
            minor,
            shutoff,
            base.length,
            base.diameter,
            base.roughness,
            curves,
            base.viscosity,
        )
        return elements, switches, head, flow

    def held_nodes(self, elements: Elements) -> list[tuple[int, int]]:
        """Return the links that hold a head with the node they hold it at."""
        found = []
        for i in np.flatnonzero(elements.law == Law.HEAD):
            is_psv = self._model.get_link(self.links[i]).valve_type == "PSV"
            found.append((int(i), int(self.start[i] if is_psv else self.end[i])))
        return found

    def _emitter_flow(self, head_m: Floats) -> Floats:
        at = self.start[len(self.links) :]
        pressure = np.maximum(head_m[at] - self._air, 0.0)
        power: float = self._model.options.hydraulic.emitter_exponent
        flow: Floats = self._emitters * pressure**power
        return flow

    def _fill_static(self, count: int) -> None:
        """Set the laws of open links; emitters are pipes with an exponent of their own."""
        hydraulic = self._model.options.hydraulic
        darcy = hydraulic.headloss == "D-W"
        zeros = np.zeros(count)
        law = np.full(count, Law.POWER, dtype=np.int64)
        resistance, minor, shutoff = zeros.copy(), zeros.copy(), zeros.copy()
        exponent = np.full(count, 1.852 if hydraulic.headloss == "H-W" else 2.0)
        length, diameter, roughness = zeros.copy(), np.ones(count), zeros.copy()
        curves: dict[int, tuple[Floats, Floats]] = {}
        for i, (_, link) in enumerate(self._model.links()):
            if link.link_type == "Pipe":
                minor[i] = minor_resistance(float(link.minor_loss), float(link.diameter))
                if darcy:
                    law[i] = Law.DARCY
                    length[i], diameter[i] = float(link.length), float(link.diameter)
                    # WNTR keeps Darcy–Weisbach roughness in metres.
                    roughness[i] = float(link.roughness)
                else:
                    resistance[i], exponent[i] = pipe_resistance(self._model, link)
            elif link.link_type == "Pump":
                law[i], shutoff[i], resistance[i], exponent[i], curve = _pump(link)
                if curve is not None:
                    curves[i] = curve
            else:
                law[i], resistance[i], minor[i] = _open_valve(link, float(link.minor_loss))
                if link.valve_type == "GPV" and link.initial_status.name == "Active":
                    law[i], curves[i] = Law.CURVE, _odd_curve(link.headloss_curve.points)
        emitters = slice(len(self.links), None)
        power = 1.0 / float(hydraulic.emitter_exponent)
        resistance[emitters] = self._emitters**-power
        exponent[emitters] = power
        self._static = Elements(
            law,
            resistance,
            exponent,
            minor,
            shutoff,
            length,
            diameter,
            roughness,
            curves,
            VISCOSITY_M2_PER_S * float(hydraulic.viscosity),
        )

    def _one_way(self, state: SteadyState) -> list[Switch]:
        """Return check valves, pumps, and links at tanks that are full or empty."""
        full = set()
        for name, tank in self._model.tanks():
            level = state.head_m[self.node_number[name]] - float(tank.elevation)
            low, high = float(tank.min_level), float(tank.max_level)
            if not low + HEAD_TOLERANCE_M < level < high - HEAD_TOLERANCE_M:
                full.add(name)
        found = []
        for i, (name, link) in enumerate(self._model.links()):
            ends = {link.start_node_name, link.end_node_name}
            stays = link.initial_status.name == "Closed"
            if link.link_type == "Pump":
                if not stays:
                    shutoff = float(self._static.shutoff[i]) * state.setting[i] ** 2
                    found.append(Switch(i, "one_way", shutoff))
            elif link.link_type == "Pipe" and (link.check_valve or (ends & full and not stays)):
                if not link.check_valve and not state.is_open[i]:
                    raise NotLinearizedError(f"EPANET closed link {name} at a full or empty tank")
                found.append(Switch(i, "one_way"))
        return found

    def _valve(self, i: int, link: Any, state: SteadyState) -> tuple[Switch | None, "_ActiveValve"]:
        """Return what may switch a valve that acts by itself, and its law in this state."""
        law, resistance, minor = _open_valve(link, float(link.minor_loss))
        as_open = _ActiveValve(law, resistance, minor)
        start, end = state.head_m[self.start[i]], state.head_m[self.end[i]]
        flow = state.flow_m3_per_s[i]
        if link.valve_type in ("PRV", "PSV"):
            at = self.end[i] if link.valve_type == "PRV" else self.start[i]
            node = self._model.get_node(self.nodes[at])
            setting = float(node.elevation) + state.setting[i]
            switch = Switch(i, link.valve_type, setting, minor)
            loss = minor * flow**2 if minor else resistance * flow
            if abs(start - end - loss) < _SAME_HEAD_M:
                return switch, as_open
            if abs(state.head_m[at] - setting) < _SAME_HEAD_M or not state.is_open[i]:
                return switch, _ActiveValve(Law.HEAD, 0.0, 0.0)
        elif link.valve_type == "FCV":
            # Snapshots are in m3/h.
            setting = state.setting[i] / 3600
            holds = abs(flow - setting) < _SAME_FLOW * abs(setting)
            active = _ActiveValve(Law.FLOW, 0.0, 0.0) if holds else as_open
            return Switch(i, "FCV", setting, minor), active
        elif link.valve_type == "TCV":
            return None, _ActiveValve(*_open_valve(link, state.setting[i]))
        elif link.valve_type == "GPV":
            return None, _ActiveValve(Law.CURVE, 0.0, 0.0)
        raise NotLinearizedError(
            f"valve {link.name} ({link.valve_type}) is neither open nor active"
        )


@dataclass(frozen=True)
class _ActiveValve:
    law: Law
    resistance: float
    minor: float


def _is_automatic(valve: Any) -> bool:
    return bool(valve.initial_status.name == "Active")


def _open_valve(valve: Any, coefficient: float) -> tuple[Law, float, float]:
    if coefficient > 0:
        return Law.POWER, 0.0, minor_resistance(coefficient, float(valve.diameter))
    return Law.RESISTANCE, OPEN_RESISTANCE, 0.0


def _pump(pump: Any) -> tuple[Law, float, float, float, tuple[Floats, Floats] | None]:
    """Return law, shutoff head, resistance, exponent and points of a pump at full speed.

    One point is EPANET's design point, three from zero flow a power function, any other number
    straight lines (EPANET 2.2 manual, 3.1.5).
    """
    if pump.pump_type == "POWER":
        return Law.HORSEPOWER, 0.0, float(pump.power) / _WATT_PER_M4_PER_S, 1.0, None
    points: NDArray[np.float64] = np.array(pump.get_pump_curve().points, dtype=np.float64)
    flows, heads = points[:, 0], points[:, 1]
    if len(points) == 1:
        flows = np.array([0.0, flows[0], 2 * flows[0]])
        heads = np.array([4 / 3 * heads[0], heads[0], 0.0])
    if len(flows) == 3 and flows[0] == 0.0:
        drop = heads[0] - heads[1]
        exponent = float(np.log((heads[0] - heads[2]) / drop) / np.log(flows[2] / flows[1]))
        return Law.PUMP, float(heads[0]), float(drop / flows[1] ** exponent), exponent, None
    slope = (heads[0] - heads[1]) / (flows[1] - flows[0])
    return Law.CURVE, float(heads[0] + slope * flows[0]), 0.0, 1.0, (flows, -heads)


def _odd_curve(points: Any) -> tuple[Floats, Floats]:
    """Return a head loss curve for both directions of flow."""
    array = np.array(points, dtype=np.float64)
    if array[0, 0] != 0.0:
        array = np.concatenate([[[0.0, 0.0]], array])
    flows = np.concatenate([-array[:0:-1, 0], array[:, 0]])
    losses = np.concatenate([-array[:0:-1, 1], array[:, 1]])
    return flows, losses
