"""What a baseline sees of a town: half-hour pressures and zone flows, and the model's pipes.

Gathered once for all baselines; what one makes of it is its own module's business.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.benchmark.town_plan import REFERENCE_DAYS
from leak_assets.errors import MissingInputError
from leak_assets.features.half_hours import HALF_HOUR, M3_PER_H, PER_DAY, half_hour_means
from leak_assets.hydraulics.twin.twin import Twin
from leak_assets.pipeline.context import StepContext
from leak_assets.sites import Network, PipeDistance, SensorLayout
from leak_assets.sites.site import NetworkSite
from leak_assets.telemetry.long_wide import column_name

Floats = NDArray[np.float64]

READINGS = "telemetry.readings"
SIGNATURES = "simulation.leak_signatures"
_QUANTITIES = ("pressure", "flow", "level")
# A day of which less is there says nothing.
_LEAST_PER_DAY = 24


@dataclass(frozen=True, eq=False)
class TownData:
    """A town's telemetry from its first day on, and what the nominal model says of its pipes.

    The first `REFERENCE_DAYS` days are leak-free and known to be.

    Parameters
    ----------
    network
        Nominal model.
    first_day
        Day of the first half-hour, UTC.
    sensors
        Nodes with a pressure sensor (N).
    pressure_m
        Mean of each half-hour, whole days, NaN where nothing is usable (T × N).
    flow_m3_per_h
        What each metered zone takes (T × Z).
    zones
        Junctions of each metered zone (Z).
    pipes
        Pipes that can leak (P).
    effect_m
        Change of each pressure by a leak of 1 m3/h at each pipe (P × N).
    distance_m
        Between pipes (P × P).
    """

    network: Network
    first_day: date
    sensors: tuple[str, ...]
    pressure_m: Floats
    flow_m3_per_h: Floats
    zones: tuple[frozenset[str], ...]
    pipes: tuple[str, ...]
    effect_m: Floats
    distance_m: Floats

    @classmethod
    def of(
        cls,
        network: Network,
        layout: SensorLayout,
        readings: pl.DataFrame,
        signatures: pl.DataFrame,
    ) -> "TownData":
        """Return the data of a town.

        Parameters
        ----------
        readings
            Wide frame in SI, from a midnight on; null is missing.
        signatures
            Rows of `simulation.leak_signatures`.
        """
        means = half_hour_means(readings)
        means = means.head(means.height // PER_DAY * PER_DAY)
        twin = Twin(network, layout)
        taken = twin.zone_consumption(means)
        sensors = tuple(layout.ids("pressure"))
        pipes, effect = _effects(signatures, sensors)
        names, distance = PipeDistance(network).matrix()
        place = {name: number for number, name in enumerate(names)}
        index = [place[pipe] for pipe in pipes]
        columns = [_values(means, column_name("pressure", name)) for name in sensors]
        flows = [taken[zone] * M3_PER_H for zone in taken]
        return cls(
            network,
            means["ts_utc"][0].date(),
            sensors,
            np.array(columns).reshape(len(columns), means.height).T,
            np.array(flows).reshape(len(flows), means.height).T,
            tuple(frozenset(twin.zones[zone].junctions) for zone in taken),
            pipes,
            effect,
            distance[np.ix_(index, index)],
        )

    @property
    def days(self) -> int:
        """Number of whole days."""
        return len(self.pressure_m) // PER_DAY

    @property
    def reference(self) -> slice:
        """The half-hours that are known to be leak-free."""
        return slice(0, REFERENCE_DAYS * PER_DAY)

    @cached_property
    def inflow_m3_per_h(self) -> Floats:
        """What all metered zones take together, 0 where nothing is metered (T)."""
        return self.flow_m3_per_h.sum(axis=1)

    @cached_property
    def ends(self) -> tuple[tuple[str, str], ...]:
        """Both ends of each pipe (P)."""
        model = self.network.shared_model()
        links = (model.get_link(name) for name in self.pipes)
        return tuple((link.start_node_name, link.end_node_name) for link in links)

    @cached_property
    def sensor_pipes(self) -> NDArray[np.int64]:
        """Number of a pipe at each sensor: the shortest there, or the first where none is (N)."""
        model = self.network.shared_model()
        length = np.array([float(model.get_link(name).length) for name in self.pipes])
        found = []
        for sensor in self.sensors:
            there = [number for number, ends in enumerate(self.ends) if sensor in ends]
            found.append(min(there, key=lambda number: length[number], default=0))
        return np.array(found, dtype=np.int64)

    def middle_of(self, zone: int) -> str:
        """Return the pipe of a zone from which the others are nearest on average."""
        inside = [i for i, ends in enumerate(self.ends) if self.zones[zone].issuperset(ends)]
        chosen = np.array(inside or range(len(self.pipes)))
        between = self.distance_m[np.ix_(chosen, chosen)]
        finite = np.where(np.isfinite(between), between, np.nan)
        return self.pipes[int(chosen[np.nanmean(finite, axis=1).argmin()])]

    def end_of(self, day: int) -> datetime:
        """Return the end of a day, when all of it is known (UTC)."""
        return self.after(PER_DAY * (day + 1) - 1)

    def after(self, half_hour: int) -> datetime:
        """Return the end of a half-hour (UTC)."""
        midnight = datetime.combine(self.first_day, time(), UTC)
        return midnight + (half_hour + 1) * HALF_HOUR

    def until(self, days: int) -> "TownData":
        """Return what was known after so many days."""
        known = slice(0, days * PER_DAY)
        return replace(
            self, pressure_m=self.pressure_m[known], flow_m3_per_h=self.flow_m3_per_h[known]
        )


def read_town(ctx: StepContext, site: NetworkSite) -> TownData:
    """Return the data of a town that was taken into a home.

    Raises
    ------
    MissingInputError
        There are no readings or no signatures.
    """
    days = [
        partition["date"] for partition in ctx.warehouse.partitions(READINGS, network=site.name)
    ]
    signatures = ctx.warehouse.read(SIGNATURES, {"network": site.name})
    if not days or signatures is None:
        raise MissingInputError(
            f"{site.name} has no readings or no leak signatures",
            remedy=f"`leak-assets ingest PATH --network {site.name}` makes them",
        )
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    means = (
        ctx.warehouse.scan(READINGS, network=site.name)
        .filter(pl.col("quantity").is_in(_QUANTITIES), pl.col("mask") == 1)
        .group_by(
            pl.concat_str("quantity", pl.lit("/"), "sensor_id").alias("column"),
            pl.col("ts_utc").dt.truncate("30m"),
        )
        .agg(pl.col("value_si").mean())
        .collect()
        .pivot(on="column", index="ts_utc", values="value_si")
    )
    begin = datetime.combine(first, time(), UTC)
    end = datetime.combine(last + timedelta(days=1), time(), UTC)
    grid = pl.datetime_range(begin, end, HALF_HOUR, closed="left", eager=True).alias("ts_utc")
    whole = pl.DataFrame([grid.cast(means.schema["ts_utc"])]).join(
        means, on="ts_utc", how="left", maintain_order="left"
    )
    return TownData.of(site.network, site.layout, whole, signatures)


def by_day(values: Floats) -> Floats:
    """Return the mean of each day (D × N), NaN where less than half of it is usable."""
    days = values.reshape(-1, PER_DAY, values.shape[1])
    known = np.isfinite(days).sum(axis=1)
    total = np.where(np.isfinite(days), days, 0.0).sum(axis=1)
    mean: Floats = np.divide(
        total, known, out=np.full(known.shape, np.nan), where=known >= _LEAST_PER_DAY
    )
    return mean


def _effects(rows: pl.DataFrame, sensors: tuple[str, ...]) -> tuple[tuple[str, ...], Floats]:
    """Return pipes and mean change per m3/h (P × N), of the middle one of the leak sizes."""
    sizes = rows["leak_m3_per_s"].unique().sort()
    size = float(sizes[len(sizes) // 2])
    means = (
        rows.filter(pl.col("leak_m3_per_s") == size, pl.col("quantity") == "pressure")
        .group_by("link_id", "sensor_id", maintain_order=True)
        .agg(pl.col("change_si").cast(pl.Float64).mean() / (size * M3_PER_H))
        .pivot(on="sensor_id", index="link_id", values="change_si")
    )
    pipes = tuple(rows["link_id"].unique(maintain_order=True))
    if means.is_empty():
        return pipes, np.zeros((len(pipes), len(sensors)))
    return tuple(means["link_id"]), means.select(sensors).to_numpy()


def _values(frame: pl.DataFrame, column: str) -> Floats:
    if column not in frame.columns:
        return np.full(frame.height, np.nan)
    return frame[column].cast(pl.Float64).to_numpy()
