"""What leaks and meter faults do to the channels, from the table of leak signatures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.features.half_hours import M3_PER_H, ChannelReference
from leak_assets.hydraulics.signatures.signatures import Signatures
from leak_assets.hydraulics.signatures.table import mean_demand_m3_per_s
from leak_assets.hydraulics.twin.zones import metered_zones
from leak_assets.sites import Network, PipeDistance, SensorLayout
from leak_assets.units import SECONDS_PER_HOUR

from .explanations import DEMAND_M3_PER_H, Explanations

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Responses:
    """Mean response of the twin's residuals over the hours of a day.

    Parameters
    ----------
    pipes
        Names (P).
    sensors
        Pressure channels (N).
    leak
        Of a leak of 1 m3/s at each pipe, m (P × N).
    meter
        Of 1 m3/s that the meters of each zone read too much, m (Z × N).
    zone
        Number of the zone in which a pipe lies, -1 where it lies in none or in two (P).
    distance_m
        Between pipes (P × P).
    flow_scale
        As `flow_scale` of the network.
    place
        Number of the zone in which each sensor lies, -1 where in none (N); None if not known.
    """

    pipes: tuple[str, ...]
    sensors: tuple[str, ...]
    leak: Floats
    meter: Floats
    zone: NDArray[np.int64]
    distance_m: Floats
    flow_scale: float = 1.0
    place: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, signatures: Signatures, network: Network, layout: SensorLayout) -> "Responses":
        """Return the responses of signatures that were just computed."""
        pressures = [i for i, n in enumerate(signatures.sensors) if n.startswith("pressure/")]
        return cls(
            signatures.pipes,
            tuple(signatures.sensors[i] for i in pressures),
            signatures.mean()[:, pressures],
            -signatures.spread.mean(axis=1)[:, pressures],
            signatures.zone,
            _distance(network, signatures.pipes),
            flow_scale(network),
            _place(network, layout, [signatures.sensors[i] for i in pressures]),
        )

    @classmethod
    def from_table(cls, rows: pl.DataFrame, network: Network, layout: SensorLayout) -> "Responses":
        """Return the responses that `simulation.leak_signatures` of a network holds.

        Of its leak sizes the middle one counts, of the hours of the day the mean. How the twin
        spreads what a meter reads too much follows from what it makes of a leak in the zone.
        """
        sizes = rows["leak_m3_per_s"].unique().sort()
        size = float(sizes[len(sizes) // 2])
        chosen = rows.filter(
            (pl.col("leak_m3_per_s") == size) & (pl.col("quantity") == "pressure")
        ).with_columns(shift_si=pl.col("change_si").cast(pl.Float64) - pl.col("residual_si"))
        means = chosen.group_by("link_id", "sensor_id", maintain_order=True).agg(
            pl.col("residual_si").cast(pl.Float64).mean() / size, pl.col("shift_si").mean() / size
        )
        pipes = tuple(means["link_id"].unique(maintain_order=True))
        sensors = tuple(means["sensor_id"].unique(maintain_order=True))
        shape = (len(pipes), len(sensors))
        zone, count = _zones(network, layout, pipes)
        shift = means["shift_si"].to_numpy().reshape(shape)
        inside = [shift[zone == number] for number in range(count)]
        spread = [part.mean(axis=0) if len(part) else np.zeros(shape[1]) for part in inside]
        names = tuple(f"pressure/{name}" for name in sensors)
        return cls(
            pipes,
            names,
            means["residual_si"].to_numpy().reshape(shape),
            -np.array(spread).reshape(count, shape[1]),
            zone,
            _distance(network, pipes),
            flow_scale(network),
            _place(network, layout, names),
        )

    def explanations(self, reference: ChannelReference) -> Explanations:
        """Return what changes in the channels of a reference can be.

        Raises
        ------
        InputError
            The signatures know nothing of one of its pressures.
        """
        names, zones = reference.names[: reference.pressures], list(reference.zones)
        if unknown := [name for name in names if name not in self.sensors]:
            raise InputError(
                f"the leak signatures know nothing of {unknown[0]}",
                remedy="Materialize simulation/leak_signatures for the present sensor layout",
            )
        columns = [self.sensors.index(name) for name in names]
        taken = (self.zone[:, None] == np.array(zones, dtype=np.int64)[None, :]).astype(float)
        leaks = np.concatenate([self.leak[:, columns] / M3_PER_H, taken], axis=1)
        meters = np.concatenate(
            [self.meter[zones][:, columns] / M3_PER_H, np.eye(len(zones))], axis=1
        )
        inside = [] if self.place is None else self.place[columns].tolist()
        # What lies in no zone with a balance goes with the load of the largest.
        place = np.array([zones.index(z) if z in zones else 0 for z in inside], dtype=np.int64)
        return Explanations(
            self.pipes, leaks, meters, self.distance_m, len(names), self.flow_scale, place
        )


def _place(network: Network, layout: SensorLayout, sensors: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of the zone of each pressure sensor, -1 where it lies in none."""
    zones = metered_zones(network.shared_model(), layout)
    zone_of = {name: number for number, zone in enumerate(zones) for name in zone.junctions}
    found = [zone_of.get(name.removeprefix("pressure/"), -1) for name in sensors]
    return np.array(found, dtype=np.int64)


def flow_scale(network: Network) -> float:
    """Return the mean nominal demand of a network in parts of L-Town's."""
    demand_m3_per_h = mean_demand_m3_per_s(network) * SECONDS_PER_HOUR
    # Rounded: the last bits of a sum over junctions are no property of a network.
    return round(demand_m3_per_h / DEMAND_M3_PER_H, 4)


def _distance(network: Network, pipes: Sequence[str]) -> Floats:
    names, distance = PipeDistance(network).matrix()
    place = {name: number for number, name in enumerate(names)}
    index = [place[pipe] for pipe in pipes]
    return distance[np.ix_(index, index)]


def _zones(
    network: Network, layout: SensorLayout, pipes: Sequence[str]
) -> tuple[NDArray[np.int64], int]:
    """Return the zone of each pipe (P), -1 for none or two, and the number of zones."""
    model = network.shared_model()
    zones = metered_zones(model, layout)
    zone_of = {name: number for number, zone in enumerate(zones) for name in zone.junctions}
    found = []
    for pipe in pipes:
        link = model.get_link(pipe)
        ends = {zone_of[n] for n in (link.start_node_name, link.end_node_name) if n in zone_of}
        found.append(ends.pop() if len(ends) == 1 else -1)
    return np.array(found, dtype=np.int64), len(zones)
