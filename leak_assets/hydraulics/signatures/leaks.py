"""Leaks at pipes as draws of water in the nominal model, and the twin's answer to them.

What a leak is in the model, and EPANET's solution with it; fast solutions are `signatures`.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError
from leak_assets.hydraulics.epanet.snapshots import Snapshots, SteadyState
from leak_assets.hydraulics.equations.network import Equations
from leak_assets.hydraulics.twin.nominal import Calendar, demand_shares
from leak_assets.hydraulics.twin.twin import METERED_SHARE, Twin
from leak_assets.sites import Network, SensorLayout
from leak_assets.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]


class LeakModel:
    """The nominal model of a network with draws of water; a context manager.

    Draws are numbered: first the leaks, half at each end of their pipe, then for each zone what
    the twin adds to its junctions when the zone's meters read more (nothing where AMR meters drive
    the zone or nothing balances it).

    Parameters
    ----------
    network, layout
        The model and what is measured.
    pipes
        Names of the leaking pipes (P).
    hours
        Hours since the start of the time patterns' calendar day (H).
    model
        WNTR model that leaks, the network's own if None; it is changed.

    Attributes
    ----------
    pressures, flows
        Sensors: nodes, and links whose flow the twin does not impose (S in all).
    zone
        Number of the twin's zone in which a pipe lies, -1 where it lies in none or in two (P).
    zones
        Number of zones (Z).
    equations
        Of the model.
    """

    def __init__(
        self,
        network: Network,
        layout: SensorLayout,
        pipes: Sequence[str],
        hours: Sequence[int],
        model: Any = None,
    ) -> None:
        twin = Twin(network, layout)
        model = network.water_network() if model is None else model
        self._network = network
        self._pipes = tuple(pipes)
        self._hours = tuple(hours)
        self.zones = len(twin.zones)
        zone_of = {name: i for i, zone in enumerate(twin.zones) for name in zone.junctions}
        links = [model.get_link(pipe) for pipe in pipes]
        ends = [(link.start_node_name, link.end_node_name) for link in links]
        self.zone: NDArray[np.int64] = np.array([_zone(zone_of, pair) for pair in ends], np.int64)
        self._inside = [[node for node in pair if node in zone_of] for pair in ends]
        self._demands = _Demands(network, layout, twin, model, np.array(self._hours))
        groups = self._demands.groups
        taps = sorted({node for pair in self._inside for node in pair})
        self._tap = {node: len(groups) + i for i, node in enumerate(taps)}
        self.pressures = layout.ids("pressure")
        self.flows = tuple(n for n in layout.ids("flow") if n not in twin.imposed_pumps)
        self._solver = Snapshots(
            model,
            [*groups, *({node: 1.0} for node in taps)],
            pressures=self.pressures,
            flows=self.flows,
            closed=sorted(twin.imposed_pumps),
        )
        self.equations = Equations(model)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._solver.close()

    @property
    def multipliers(self) -> Floats:
        """What demand groups take at each hour: hours alike have the same steady state (H × G)."""
        return self._demands.multipliers

    def nominal(self, h: int) -> SteadyState:
        """Return EPANET's state without any draw, by the hour's place in the list of hours.

        Raises
        ------
        HydraulicError
            There is none.
        """
        self._set(self.multipliers[h])
        self._solve(f"at hour {self._hours[h]}")
        return self._solver.state()

    def draws(self, h: int) -> Floats:
        """Return the additional demand of junctions for draws of 1 m3/s (J × P+Z)."""
        number = self.equations.node_number
        draws = np.zeros((len(self.equations.junctions), len(self._pipes) + self.zones))
        for column, nodes in enumerate(self._inside):
            for node in nodes:
                draws[number[node], column] = 1.0 / len(nodes)
        for zone in range(self.zones):
            more = (self._demands.spread(h, zone, 1.0) - 1.0) * self.multipliers[h]
            for group, factor in zip(self._demands.groups, more, strict=True):
                for node, share in group.items():
                    draws[number[node], len(self._pipes) + zone] += factor * share
        return draws

    def epanet_changes(
        self, h: int, sizes: Sequence[float], draws: NDArray[np.int64]
    ) -> list[Floats]:
        """Return by EPANET what some draws of each size change at the sensors (S × draws each).

        Raises
        ------
        HydraulicError
            No steady state with one of them.
        """
        nominal = self.multipliers[h]
        self._set(nominal)
        self._solve(f"at hour {self._hours[h]}")
        before = self._read()
        found = []
        for size in sizes:
            change = np.zeros((before.size, len(draws)))
            for column, draw in enumerate(draws.tolist()):
                change[:, column] = self._with(h, draw, size) - before
            found.append(change)
        return found

    def _with(self, h: int, draw: int, size: float) -> Floats:
        """Return EPANET's readings with one draw (S)."""
        nominal = self.multipliers[h]
        if draw >= len(self._pipes):
            self._set(nominal * self._demands.spread(h, draw - len(self._pipes), size))
            self._solve(f"at hour {self._hours[h]}")
            found = self._read()
            self._set(nominal)
            return found
        nodes = self._inside[draw]
        for node in nodes:
            self._solver.set_multiplier(self._tap[node], size / len(nodes))
        self._solve(f"with a leak at {self._pipes[draw]}")
        found = self._read()
        for node in nodes:
            self._solver.set_multiplier(self._tap[node], 0.0)
        return found

    def _set(self, groups: Floats) -> None:
        self._solver.set_multipliers([*groups, *(0.0 for _ in self._tap)])

    def _solve(self, what: str) -> None:
        if not self._solver.solve():
            raise HydraulicError(f"EPANET finds no steady state of {self._network.name} {what}")

    def _read(self) -> Floats:
        return np.concatenate([self._solver.pressures(), self._solver.flows()])


class _Demands:
    """Nominal demands of all zones at some hours, and how the twin spreads a leak over a zone."""

    def __init__(
        self,
        network: Network,
        layout: SensorLayout,
        twin: Twin,
        model: Any,
        hours: NDArray[np.int64],
    ) -> None:
        calendar = Calendar(network, model)
        at_s = calendar.midnight_s + hours.astype(np.int64) * SECONDS_PER_HOUR
        metered = set(layout.ids("demand"))
        self.groups: list[dict[str, float]] = []
        self._zone: list[int] = []
        self._follows_balance: list[bool] = []
        columns = []
        for number, zone in enumerate(twin.zones):
            shares = demand_shares(model, zone.junctions)
            total = sum(sum(group.values()) for group in shares.values())
            by_meter = sum(v for g in shares.values() for k, v in g.items() if k in metered)
            balanced = zone.is_balanced and by_meter < METERED_SHARE * total
            self._follows_balance.append(balanced)
            for pattern, group in shares.items():
                self.groups.append(group)
                self._zone.append(number)
                columns.append(calendar.means(pattern, at_s, SECONDS_PER_HOUR))
        for pump in twin.imposed_pumps:
            # On average a pump delivers what the zone behind it takes.
            link = model.get_link(pump)
            behind = next((i for i, z in enumerate(twin.zones) if (pump, 1) in z.meters), None)
            taken = sum(
                (
                    columns[i] * sum(self.groups[i].values())
                    for i, number in enumerate(self._zone)
                    if number == behind
                ),
                start=np.zeros(len(hours)),
            )
            nodes = {link.start_node_name: 1.0, link.end_node_name: -1.0}
            self.groups.append(
                {k: v for k, v in nodes.items() if k in set(model.junction_name_list)}
            )
            self._zone.append(-1)
            columns.append(taken)
        self.groups_count = len(self.groups)
        self.multipliers = np.stack(columns, axis=1)

    def spread(self, hour: int, zone: int, leak: float) -> Floats:
        """Return factors on the groups with which the twin explains a leak in a zone (G)."""
        factors = np.ones(self.groups_count)
        if not self._follows_balance[zone]:
            return factors
        inside = [i for i, number in enumerate(self._zone) if number == zone]
        taken = sum(self.multipliers[hour, i] * sum(self.groups[i].values()) for i in inside)
        factors[inside] = (taken + leak) / taken if taken > 0 else 1.0
        return factors


def _zone(zone_of: dict[str, int], ends: tuple[str, str]) -> int:
    """Return the zone of a pipe's ends; an end at a source counts with the other."""
    found = {zone_of[node] for node in ends if node in zone_of}
    return found.pop() if len(found) == 1 else -1
