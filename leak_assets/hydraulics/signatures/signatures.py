"""Leak signatures: what a leak at each pipe changes at the sensors, seen through the twin.

Computed on the nominal model; which signature is in the data is the detection's question.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import HydraulicError
from leak_assets.hydraulics.epanet.snapshots import Snapshots
from leak_assets.hydraulics.twin.nominal import Calendar, demand_shares
from leak_assets.hydraulics.twin.twin import METERED_SHARE, Twin
from leak_assets.sites import Network, SensorLayout
from leak_assets.system.files import publishing
from leak_assets.units import SECONDS_PER_HOUR

# A mid-sized leak: 7 m3/h. Head loss is not linear in flow; larger leaks respond more strongly.
LEAK_M3_PER_S = 0.002
_VERSION = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Signatures:
    """Response of the twin's residuals to a leak of 1 m3/s at each pipe.

    Parameters
    ----------
    pipes
        Names of the pipes (P).
    sensors
        Wide columns: pressures, then the flow meters that the twin does not impose (S).
    hours
        Hours since the start of the time patterns' calendar day (H).
    response
        Change of measured minus expected per m3/s of leak, m/(m3/s) or 1 (P × H × S).
    zone
        Number of the twin's zone in which a pipe lies, -1 where it lies in none or in two (P).
    spread
        Change of expected per m3/s that a zone's meters read too much (Z × H × S).
    """

    pipes: tuple[str, ...]
    sensors: tuple[str, ...]
    hours: tuple[int, ...]
    response: Floats
    zone: NDArray[np.int64]
    spread: Floats

    def mean(self, hours: Sequence[int] | None = None) -> Floats:
        """Return the mean response over hours of the day, or over all (P × S)."""
        if hours is None:
            return self.response.mean(axis=1)
        chosen = [i for i, hour in enumerate(self.hours) if hour % 24 in set(hours)]
        return self.response[:, chosen].mean(axis=1)


def signatures(
    network: Network,
    layout: SensorLayout,
    pipes: Sequence[str],
    *,
    hours: Sequence[int] = tuple(range(0, 24, 2)),
    leak_m3_per_s: float = LEAK_M3_PER_S,
    cache_dir: Path | None = None,
) -> Signatures:
    """Return the signatures of leaks at the middle of pipes.

    A leak is an extra demand, half at each end of the pipe. The twin sees the larger inflow and
    spreads it over the zone's junctions; the signature is what remains (in a zone that AMR meters
    drive, the whole response). About 0.2 ms per pipe and hour on L-Town.

    Parameters
    ----------
    hours
        Hours of the first pattern day at which the network is solved.
    cache_dir
        Folder for results, by content hash of model, layout and options; None keeps nothing.
    """
    key = _key(network, layout, pipes, hours, leak_m3_per_s)
    file = None if cache_dir is None else cache_dir / f"signatures-{network.name}-{key}.npz"
    if file is not None and file.is_file():
        with np.load(file) as stored:
            return Signatures(
                tuple(stored["pipes"].tolist()),
                tuple(stored["sensors"].tolist()),
                tuple(stored["hours"].tolist()),
                stored["response"],
                stored["zone"],
                stored["spread"],
            )
    made = _compute(network, layout, tuple(pipes), tuple(hours), leak_m3_per_s)
    if file is not None:
        # An open file: numpy would append its suffix to another name.
        with publishing(file) as draft, draft.open("wb") as stream:
            np.savez_compressed(
                stream,
                pipes=np.array(made.pipes),
                sensors=np.array(made.sensors),
                hours=np.array(made.hours),
                response=made.response,
                zone=made.zone,
                spread=made.spread,
            )
    return made


def _compute(
    network: Network,
    layout: SensorLayout,
    pipes: tuple[str, ...],
    hours: tuple[int, ...],
    leak: float,
) -> Signatures:
    twin = Twin(network, layout)
    model = network.water_network()
    ends = {p: (model.get_link(p).start_node_name, model.get_link(p).end_node_name) for p in pipes}
    zone_of = {name: i for i, zone in enumerate(twin.zones) for name in zone.junctions}
    zone = np.array([_zone(zone_of, ends[p]) for p in pipes], dtype=np.int64)
    base = _Demands(network, layout, twin, model, np.array(hours))
    taps = sorted({node for pair in ends.values() for node in pair if node in zone_of})
    column = {node: base.groups_count + i for i, node in enumerate(taps)}
    groups = [*base.groups, *({node: 1.0} for node in taps)]
    sensors = layout.ids("pressure")
    meters = [n for n in layout.ids("flow") if n not in twin.imposed_pumps]
    response = np.zeros((len(pipes), len(hours), len(sensors) + len(meters)))
    spread = np.zeros((len(twin.zones), len(hours), len(sensors) + len(meters)))
    with Snapshots(
        network.water_network(),
        groups,
        pressures=sensors,
        flows=meters,
        closed=sorted(twin.imposed_pumps),
    ) as solver:
        values = np.zeros(len(groups))

        def state(what: str) -> Floats:
            solver.set_multipliers(values)
            if not solver.solve():
                raise HydraulicError(f"EPANET finds no steady state of {network.name} {what}")
            return np.concatenate([solver.pressures(), solver.flows()])

        for h, hour in enumerate(hours):
            nominal = base.multipliers[h]
            seen = {}
            for number in range(len(twin.zones)):
                values[:] = 0.0
                values[: base.groups_count] = nominal * base.spread(h, number, leak)
                seen[number] = state(f"at hour {hour}")
            values[: base.groups_count] = nominal
            seen[-1] = state(f"at hour {hour}")
            for number in range(len(twin.zones)):
                spread[number, h] = (seen[number] - seen[-1]) / leak
            for p, pipe in enumerate(pipes):
                inside = [node for node in ends[pipe] if node in column]
                for node in inside:
                    solver.set_multiplier(column[node], leak / len(inside))
                if not solver.solve():
                    raise HydraulicError(f"EPANET finds no steady state with a leak at {pipe}")
                leaking = np.concatenate([solver.pressures(), solver.flows()])
                response[p, h] = (leaking - seen[int(zone[p])]) / leak
                for node in inside:
                    solver.set_multiplier(column[node], 0.0)
    names = [*(f"pressure/{n}" for n in sensors), *(f"flow/{n}" for n in meters)]
    return Signatures(pipes, tuple(names), hours, response, zone, spread)


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


def _key(
    network: Network,
    layout: SensorLayout,
    pipes: Sequence[str],
    hours: Sequence[int],
    leak_m3_per_s: float,
) -> str:
    """Return a hash of all that the signatures depend on."""
    model = network.inp_path.read_bytes()
    rest = repr(
        (_VERSION, network.pattern_epoch, layout.columns(), list(pipes), list(hours), leak_m3_per_s)
    )
    return hashlib.sha256(model + rest.encode()).hexdigest()[:16]
