"""The hydraulic twin: the nominal model driven by what is measured at its borders.

It says what every pressure sensor and the system inflow should read if the network were as the
model says and had no leak. Corrections learned from data are `calibration`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.hydraulics.epanet.snapshots import Snapshots
from leak_assets.sites import Network, SensorLayout

from .nominal import Calendar, demand_shares
from .zones import Zone, connected_parts, consumption, metered_zones

INFLOW = "flow/inflow"
# Share of a zone's nominal demand that must be metered (AMR) for the meters to drive the zone.
# The zone's own balance is then free to show a leak instead of being spread over the junctions.
METERED_SHARE = 0.5
_PUMP_RUNS_M3_PER_S = 1e-4

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Drive:
    """How a zone's demands are set: its pattern groups, its metered junctions."""

    zone: Zone
    shares: dict[str, dict[str, float]]
    metered: tuple[str, ...]
    follows_meters: bool


class Twin:
    """The nominal model of a network behind its sensors.

    Flow meters cut the network into metered zones. In a zone whose inflow is measured the nominal
    demands are scaled so that the model takes what was measured; where at least half of a zone's
    demand is metered by AMR, the meters drive it; a zone with neither follows its patterns. Tank
    levels are set as measured. A metered pump between two zones that each have a source is
    replaced by its measured flow; any other metered pump is on when it delivers.

    Parameters
    ----------
    network
        Model file and the calendar of its patterns.
    layout
        What is measured.
    """

    def __init__(self, network: Network, layout: SensorLayout) -> None:
        self.network = network
        self.layout = layout
        self._solvers: dict[tuple[tuple[str, ...], ...], Snapshots] = {}

    @cached_property
    def _model(self) -> Any:
        return self.network.water_network()

    @cached_property
    def zones(self) -> tuple[Zone, ...]:
        """The metered zones, largest first."""
        return metered_zones(self._model, self.layout)

    @cached_property
    def _drives(self) -> tuple[_Drive, ...]:
        meters = set(self.layout.ids("demand"))
        drives = []
        for zone in self.zones:
            metered = tuple(name for name in zone.junctions if name in meters)
            everything = demand_shares(self._model, zone.junctions)
            nominal = sum(sum(group.values()) for group in everything.values())
            measured = sum(
                sum(group.values()) for group in demand_shares(self._model, metered).values()
            )
            follows = bool(metered) and measured >= METERED_SHARE * nominal
            drives.append(_Drive(zone, everything, metered if follows else (), follows))
        return tuple(drives)

    @cached_property
    def transfers(self) -> tuple[str, ...]:
        """Flow meters between two zones, in the order of the layout."""
        borders = [name for zone in self.zones for name, _ in zone.meters]
        return tuple(name for name in self.layout.ids("flow") if borders.count(name) > 1)

    @cached_property
    def imposed_pumps(self) -> tuple[str, ...]:
        """Metered pumps whose flow is imposed: without them every part keeps a source."""
        fixed = {*self._model.reservoir_name_list, *self.layout.ids("level")}
        pumps = set(self._model.pump_name_list)
        cut = {name for name in self.layout.ids("flow") if name in pumps}
        parts = connected_parts(self._model, cut)
        return tuple(sorted(cut)) if cut and all(part & fixed for part in parts) else ()

    def zone_consumption(self, observed: pl.DataFrame) -> dict[int, Floats]:
        """Return what each balanced zone takes, m3/s (T), by zone number; NaN where unknown."""
        readings, ts_us, step_s = _arrays(observed)
        place = _places(ts_us, step_s)
        return {
            number: consumption(zone, readings, self._model, place, step_s)
            for number, zone in enumerate(self.zones)
            if zone.is_balanced
        }

    def zone_estimate(self, observed: pl.DataFrame, number: int) -> tuple[Floats, bool]:
        """Return what a zone should take without leaks, m3/s (T), and whether AMR meters say so.

        The sum of the zone's AMR meters where they drive it, else the nominal demand patterns.
        """
        readings, ts_us, step_s = _arrays(observed)
        drive = self._drives[number]
        if not drive.follows_meters:
            return self._nominal(drive, self._patterns(ts_us, step_s)), False
        missing = np.full(len(ts_us), np.nan)
        meters = [readings.get(f"demand/{name}", missing) for name in drive.metered]
        return np.sum(meters, axis=0), True

    def observed_channels(self, observed: pl.DataFrame) -> pl.DataFrame:
        """Return what the sensors say, in the channels of `expected`.

        Parameters
        ----------
        observed
            Wide frame in SI: `ts_utc` and `<quantity>/<sensor_id>` columns; null is missing.

        Returns
        -------
        polars.DataFrame
            `ts_utc`, the pressures in m, and `flow/inflow` in m3/s: measured inflow less what
            tanks store (mean of the last hour), null in the first hour of a frame with tanks.
            `flow/inflow` is there only where a zone's balance is measured.
        """
        missing = pl.lit(None, pl.Float64)
        frame = observed.select(
            "ts_utc",
            *(
                (pl.col(name) if name in observed.columns else missing.alias(name))
                for name in self._pressure_columns
            ),
        )
        balances = self.zone_consumption(observed)
        if not balances:
            return frame
        return frame.with_columns(_series(INFLOW, np.sum(list(balances.values()), axis=0)))

    def expected(self, observed: pl.DataFrame, *, with_flows: bool = False) -> pl.DataFrame:
        """Return what the sensors should read without leaks.

        Parameters
        ----------
        observed
            Wide frame in SI with increasing `ts_utc` (begin of the step); rows may be missing.
        with_flows
            Also return the model's flow at the meters that are not imposed.

        Returns
        -------
        polars.DataFrame
            `ts_utc`, expected pressures in m, and `flow/inflow` in m3/s, the forecast of the
            nominal demand patterns for the zones whose balance is measured. Null where an input
            that the value hangs on is missing.
        """
        readings, ts_us, step_s = _arrays(observed)
        patterns = self._patterns(ts_us, step_s)
        multipliers, known = self._multipliers(readings, patterns, _places(ts_us, step_s), step_s)
        columns = self._solve(readings, patterns, multipliers, known, with_flows=with_flows)
        forecast = [
            self._nominal(drive, patterns) for drive in self._drives if drive.zone.is_balanced
        ]
        if forecast:
            columns[INFLOW] = np.sum(forecast, axis=0)
        return observed.select("ts_utc").with_columns(
            _series(name, values) for name, values in columns.items()
        )

    @property
    def _pressure_columns(self) -> list[str]:
        return [f"pressure/{name}" for name in self.layout.ids("pressure")]

    def _patterns(self, ts_us: NDArray[np.int64], step_s: float) -> dict[str, Floats]:
        names = {name for drive in self._drives for name in drive.shares}
        names |= {r.head_pattern_name for _, r in self._model.reservoirs() if r.head_pattern_name}
        calendar = Calendar(self.network, self._model)
        return {name: calendar.means(name, ts_us // 1_000_000, step_s) for name in names}

    @staticmethod
    def _nominal(
        drive: _Drive, patterns: dict[str, Floats], junctions: set[str] | None = None
    ) -> Floats:
        """Return the nominal demand of a zone, or of some of its junctions, m3/s (T)."""
        total: Floats = np.zeros(len(next(iter(patterns.values()), np.zeros(0))))
        for pattern, group in drive.shares.items():
            share = sum(v for k, v in group.items() if junctions is None or k in junctions)
            total = total + share * patterns[pattern]
        return total

    def _groups(self) -> list[dict[str, float]]:
        """Return the demand groups: per zone its unmetered patterns, meters, imposed pumps."""
        groups: list[dict[str, float]] = []
        for drive in self._drives:
            metered = set(drive.metered)
            for group in drive.shares.values():
                groups.append({k: v for k, v in group.items() if k not in metered})
            groups.extend({name: 1.0} for name in drive.metered)
        junctions = set(self._model.junction_name_list)
        for name in self.imposed_pumps:
            link = self._model.get_link(name)
            ends = {link.start_node_name: 1.0, link.end_node_name: -1.0}
            groups.append({node: sign for node, sign in ends.items() if node in junctions})
        return groups

    def _multipliers(
        self,
        readings: dict[str, Floats],
        patterns: dict[str, Floats],
        place: NDArray[np.int64],
        step_s: float,
    ) -> tuple[Floats, list[NDArray[np.bool_]]]:
        """Return the groups' multipliers (T × G) and, per zone, where its inputs are known (T)."""
        steps = len(next(iter(readings.values())))
        missing = np.full(steps, np.nan)
        columns: list[Floats] = []
        known = []
        for drive in self._drives:
            nominal = self._nominal(drive, patterns)
            if drive.follows_meters:
                meters = np.stack([readings.get(f"demand/{n}", missing) for n in drive.metered])
                usual = np.stack([self._nominal(drive, patterns, {n}) for n in drive.metered])
                scale = _ratio(
                    np.nansum(meters, axis=0), np.where(np.isnan(meters), 0.0, usual).sum(axis=0)
                )
                scale[np.isnan(meters).all(axis=0)] = np.nan
            elif drive.zone.is_balanced:
                taken = consumption(drive.zone, readings, self._model, place, step_s)
                scale = np.maximum(_ratio(taken, nominal), 0.0)
            else:
                scale = np.ones(steps)
            known.append(np.isfinite(scale))
            scale = np.where(np.isfinite(scale), scale, 1.0)
            columns.extend(scale * patterns[name] for name in drive.shares)
            if drive.follows_meters:
                columns.extend(np.where(np.isnan(meters), scale * usual, meters))
        for name in self.imposed_pumps:
            columns.append(np.nan_to_num(readings.get(f"flow/{name}", missing)))
        return np.stack(columns, axis=1), known

    def _solve(
        self,
        readings: dict[str, Floats],
        patterns: dict[str, Floats],
        multipliers: Floats,
        known: list[NDArray[np.bool_]],
        *,
        with_flows: bool,
    ) -> dict[str, Floats]:
        steps = len(multipliers)
        missing = np.full(steps, np.nan)
        sensors = self.layout.ids("pressure")
        imposed = set(self.imposed_pumps)
        meters = [n for n in self.layout.ids("flow") if n not in imposed] if with_flows else []
        pumps = [n for n in self.layout.ids("flow") if n in self._model.pump_name_list]
        pumps = [name for name in pumps if name not in imposed]
        running = [readings.get(f"flow/{name}", missing) for name in pumps]
        heads, head_values = self._heads(readings, patterns, steps)
        usable = self._usable(readings, known)
        pressure, flow = (
            np.full((steps, len(sensors)), np.nan),
            np.full((steps, len(meters)), np.nan),
        )
        solver = self._solver(tuple(meters), tuple(heads), tuple(pumps))
        solver.restart()
        for step in np.flatnonzero(np.any(list(usable.values()), axis=0)):
            solver.set_multipliers(multipliers[step])
            solver.set_levels(head_values[:, step])
            solver.set_open([bool(flow[step] > _PUMP_RUNS_M3_PER_S) for flow in running])
            if solver.solve():
                pressure[step] = solver.pressures()
                flow[step] = solver.flows()
        columns = {}
        for i, name in enumerate(sensors):
            columns[f"pressure/{name}"] = np.where(usable[name], pressure[:, i], np.nan)
        for i, name in enumerate(meters):
            end = self._model.get_link(name).end_node_name
            columns[f"flow/{name}"] = np.where(self._part_usable(usable, end), flow[:, i], np.nan)
        return columns

    def _solver(
        self, meters: tuple[str, ...], heads: tuple[str, ...], pumps: tuple[str, ...]
    ) -> Snapshots:
        """Return the model opened in EPANET; opening takes longer than solving a day."""
        key = (meters, heads, pumps)
        if key not in self._solvers:
            self._solvers[key] = Snapshots(
                self.network.water_network(),
                self._groups(),
                pressures=self.layout.ids("pressure"),
                flows=meters,
                levels=heads,
                switched=pumps,
                closed=sorted(self.imposed_pumps),
            )
        return self._solvers[key]

    def _heads(
        self, readings: dict[str, Floats], patterns: dict[str, Floats], steps: int
    ) -> tuple[list[str], Floats]:
        """Return the nodes whose head is set, and levels or heads in metres (H × T)."""
        names, values = [], []
        for name in self.layout.ids("level"):
            tank = self._model.get_node(name)
            level = readings.get(f"level/{name}", np.full(steps, np.nan))
            level = np.where(np.isnan(level), float(tank.init_level), level)
            names.append(name)
            values.append(np.clip(level, float(tank.min_level), float(tank.max_level)))
        for name, reservoir in self._model.reservoirs():
            if reservoir.head_pattern_name:
                names.append(name)
                values.append(float(reservoir.base_head) * patterns[reservoir.head_pattern_name])
        return names, np.array(values, dtype=np.float64).reshape(len(names), steps)

    @cached_property
    def _parts(self) -> list[set[str]]:
        """Nodes that exchange water in the twin: cut at the imposed pumps only."""
        return connected_parts(self._model, set(self.imposed_pumps))

    def _usable(
        self, readings: dict[str, Floats], known: list[NDArray[np.bool_]]
    ) -> dict[str, NDArray[np.bool_]]:
        """Return per pressure sensor where all that its part of the network needs is known (T)."""
        steps = len(next(iter(readings.values())))
        missing = np.full(steps, np.nan)
        usable: dict[str, NDArray[np.bool_]] = {}
        for part in self._parts:
            good = np.ones(steps, dtype=np.bool_)
            for drive, zone_known in zip(self._drives, known, strict=True):
                if part & set(drive.zone.junctions):
                    good &= zone_known
            for name in self.layout.ids("level"):
                if name in part:
                    good &= np.isfinite(readings.get(f"level/{name}", missing))
            for name in self.layout.ids("flow"):
                link = self._model.get_link(name)
                pump = name in self._model.pump_name_list
                touches = {link.start_node_name, link.end_node_name} & part
                if pump and touches:
                    good &= np.isfinite(readings.get(f"flow/{name}", missing))
            for name in part:
                usable[name] = good
        return usable

    @staticmethod
    def _part_usable(usable: dict[str, NDArray[np.bool_]], node: str) -> NDArray[np.bool_]:
        return usable[node]


def _arrays(observed: pl.DataFrame) -> tuple[dict[str, Floats], NDArray[np.int64], float]:
    """Return the columns as arrays (T), times in microseconds (T), and the step in seconds."""
    ts_us = observed["ts_utc"].dt.epoch("us").to_numpy()
    step_s = float(np.median(np.diff(ts_us))) / 1e6 if len(ts_us) > 1 else 300.0
    names = [name for name in observed.columns if name != "ts_utc"]
    # One conversion for all: a hundred small ones take longer than the arithmetic.
    values = observed.select(pl.col(names).cast(pl.Float64).fill_null(np.nan)).to_numpy()
    readings = {name: np.ascontiguousarray(values[:, i]) for i, name in enumerate(names)}
    readings.setdefault("", np.full(len(ts_us), np.nan))
    return readings, ts_us, step_s


def _places(ts_us: NDArray[np.int64], step_s: float) -> NDArray[np.int64]:
    """Return the number of each row's step since the first row (T)."""
    since = ts_us - ts_us[0] if len(ts_us) else ts_us
    return np.rint(since / (step_s * 1e6)).astype(np.int64)


def _series(name: str, values: Floats) -> pl.Series:
    return pl.Series(name, values, dtype=pl.Float64, nan_to_null=True)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
