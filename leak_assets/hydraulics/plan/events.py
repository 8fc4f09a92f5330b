"""Draws what else happens in a scenario: one non-leak event, or one sensor fault.

Kinds come in turn over all batches of a plan, so that each is as frequent as the others; place,
time and size are drawn. Which scenarios have one is the plan's matter.
"""

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from leak_assets.hydraulics.towns.events import Event, ruled_links
from leak_assets.hydraulics.towns.sensor_faults import SensorFault
from leak_assets.hydraulics.towns.supply_check import ServiceCheck
from leak_assets.hydraulics.towns.town import Town, loop_pipes
from leak_assets.sites.registry import Network
from leak_assets.sites.sensors import SensorLayout

# Hours that an event lasts, and between which hours of its day it begins. Hydrants: a fire takes
# two to four hours whenever it comes, mains are flushed by a crew on its shift. A swapped meter
# stays.
_HOURS = {
    "fire_flow": (1.0, 4.0, 0, 20),
    "flushing": (0.5, 1.5, 7, 15),
    "large_customer": (4.0, 10.0, 5, 14),
    "pump_trip": (0.5, 2.0, 0, 22),
    "tank_fill": (1.0, 3.0, 0, 21),
    "prv_set_point": (3.0, 12.0, 6, 16),
    "valve_operation": (1.0, 6.0, 7, 15),
    "boundary_valve": (2.0, 12.0, 6, 16),
    "meter_swap": (24.0, 24.0, 7, 15),
}
# m3/h: 48 to 192 is what DVGW W 405 asks of a network for fire fighting, 20 to 60 what keeps
# 1 m/s in mains of 80 to 150 mm.
_FIRE_M3_PER_H, _FLUSHING_M3_PER_H = (48.0, 192.0), (20.0, 60.0)
# Share of the network's mean demand.
_LARGE_CUSTOMER = (0.02, 0.10)
_SET_POINT_M = (2.0, 6.0)
_METER_FACTOR = (0.03, 0.10)
_FAULT_HOURS = (2.0, 12.0)
# Of a sensor's usual size: metres of pressure or level, or a share of its usual flow.
_FAULT_SIZE = {
    "constant": (0.5, 3.0),
    "drift": (1.0, 4.0),
    "gaussian": (0.3, 1.5),
    "spike": (5.0, 20.0),
}
_FLOW_PER_M = 0.1
_UNIT_FACTORS = (3.6, 1 / 3.6, 10.197, 0.7031, 0.0689)


class EventSampler:
    """Draws events of one town.

    Attributes
    ----------
    kinds
        The kinds that this network and town can have.
    """

    def __init__(self, network: Network, layout: SensorLayout, town: Town) -> None:
        model = network.water_network()
        for name in town.closed_pipes:
            model.get_link(name).initial_status = "CLOSED"
        self._model, self._layout, self._town = model, layout, town
        self._demand_m3_per_h = base_demand_m3_per_h(model)
        junctions = [name for name, j in model.junctions() if _has_demand(j)]
        pumps = [str(name) for name in model.pump_name_list]
        shut = [name for name, pipe in model.pipes() if str(pipe.initial_status) == "Closed"]
        unruled = _simple_links(model)
        self._places = {
            "fire_flow": junctions,
            "flushing": junctions,
            "large_customer": junctions,
            "pump_trip": [p for p in pumps if p in unruled and _is_dispensable(model, p)],
            "tank_fill": [p for p in pumps if p in unruled] if model.tank_name_list else [],
            "prv_set_point": [n for n, v in model.valves() if v.valve_type == "PRV"],
            "valve_operation": [p for p in loop_pipes(model) if p in unruled],
            "boundary_valve": [p for p in shut if p in unruled],
            "meter_swap": list(layout.ids("flow")),
        }
        self.kinds = tuple(kind for kind, places in self._places.items() if places)

    def draw(
        self, number: int, start_at: datetime, duration_s: int, rng: np.random.Generator
    ) -> tuple[Event, ...]:
        """Return the event number `number` of the plan for a scenario; none where none fits."""
        if not self.kinds:
            return ()
        kind = self.kinds[number % len(self.kinds)]
        place = self._place(kind, rng)
        if place is None:
            return ()
        least, most, earliest, latest = _HOURS[kind]
        begin = start_at + timedelta(hours=round(float(rng.uniform(earliest, latest)) * 12) / 12)
        end = begin + timedelta(hours=round(float(rng.uniform(least, most)) * 12) / 12)
        last = start_at + timedelta(seconds=duration_s)
        if kind == "meter_swap" or end > last:
            end = last
        if end <= begin:
            return ()
        return (Event(kind, place, begin, end, self._size(kind, rng)),)

    def _place(self, kind: str, rng: np.random.Generator) -> str | None:
        places = list(self._places[kind])
        if kind != "valve_operation":
            return places[int(rng.integers(len(places)))]
        # A crew does not close a valve that leaves customers without pressure.
        with ServiceCheck(self._model) as service:
            while places:
                name = places.pop(int(rng.integers(len(places))))
                if service.close_pipe(name):
                    return name
        return None

    def _size(self, kind: str, rng: np.random.Generator) -> float:
        def between(bounds: tuple[float, float]) -> float:
            return float(rng.uniform(*bounds))

        if kind == "fire_flow":
            return round(between(_FIRE_M3_PER_H), 1)
        if kind == "flushing":
            return round(between(_FLUSHING_M3_PER_H), 1)
        if kind == "large_customer":
            return round(max(0.1, between(_LARGE_CUSTOMER) * self._demand_m3_per_h), 1)
        sign = float(rng.choice([-1.0, 1.0]))
        if kind == "prv_set_point":
            return round(sign * between(_SET_POINT_M), 1)
        if kind == "meter_swap":
            return round(1 + sign * between(_METER_FACTOR), 3)
        return 0.0


def draw_fault(
    kind: str,
    layout: SensorLayout,
    demand_m3_per_h: float,
    start_at: datetime,
    duration_s: int,
    step_s: int,
    rng: np.random.Generator,
    *,
    hours: tuple[float, float] = _FAULT_HOURS,
) -> SensorFault:
    """Return a fault of a random sensor, within a run of at least two steps.

    Parameters
    ----------
    hours
        How long it lasts, at least and at most; no longer than the run.
    demand_m3_per_h
        Mean demand of the network; sizes of faults of flow and demand sensors go by it.
    """
    sensor = layout.sensors[int(rng.integers(len(layout.sensors)))]
    steps = duration_s // step_s
    length = round(float(rng.uniform(*hours)) * 3600 / step_s)
    length = min(max(1, length), steps - 1)
    first = int(rng.integers(1, steps - length + 1))
    step = timedelta(seconds=step_s)
    size = 0.0
    if kind in _FAULT_SIZE:
        size = float(rng.uniform(*_FAULT_SIZE[kind]))
        if sensor.quantity in ("flow", "demand"):
            meters = max(1, len(layout.ids(sensor.quantity)))
            size *= _FLOW_PER_M * demand_m3_per_h / 3600 / meters
    elif kind == "percentage":
        size = float(rng.choice([-1.0, 1.0])) * float(rng.uniform(0.03, 0.15))
    elif kind == "dropout":
        size = float(rng.uniform(0.3, 0.8))
    elif kind == "clock_shift":
        size = float(rng.choice([-1, 1]) * rng.integers(1, 13) * step_s)
    elif kind == "unit_change":
        size = float(rng.choice(_UNIT_FACTORS))
    return SensorFault(
        kind, sensor.column, start_at + first * step, start_at + (first + length) * step, size
    )


def base_demand_m3_per_h(model: Any) -> float:
    """Return the sum of the base demands that are positive; time patterns do not count."""
    total = sum(
        d.base_value
        for _, junction in model.junctions()
        for d in junction.demand_timeseries_list
        if d.base_value > 0
    )
    return float(total) * 3600


def _has_demand(junction: Any) -> bool:
    return any(d.base_value > 0 for d in junction.demand_timeseries_list)


def _simple_links(model: Any) -> set[str]:
    """Return links that an event may hold: no controls that are rules act on them."""
    return set(model.link_name_list) - ruled_links(model)


def _is_dispensable(model: Any, pump: str) -> bool:
    """Whether every node stays joined to a tank or reservoir without a pump."""
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(model.node_name_list)
    graph.add_edges_from(
        (link.start_node_name, link.end_node_name)
        for name, link in model.links()
        if name != pump and str(link.initial_status) != "Closed"
    )
    sources = {*model.tank_name_list, *model.reservoir_name_list}
    return all(part & sources for part in nx.connected_components(graph))
