"""The result of one scenario: values in SI by quantity, as arrays and as frames."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.hydraulics.towns.events import Event
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.sensor_faults import SensorFault
from leak_assets.hydraulics.towns.town import Town
from leak_assets.sites.sensors import SensorLayout

Array = NDArray[np.float64]
_TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Series:
    """Values of one quantity: element names (N) and values in SI (T × N)."""

    ids: tuple[str, ...]
    values: Array


@dataclass(frozen=True)
class ScenarioRun:
    """What a scenario gave.

    Parameters
    ----------
    measured
        Instrumented elements with sensor errors and faults, by quantity; pressure and level m,
        flow and demand m3/s; NaN where a fault swallowed the value.
    true
        The same without sensor errors and faults.
    everything
        All nodes (pressure, head, demand) and links (flow, velocity, status); empty unless the
        run recorded all. True values.
    leak_flow
        True leak flow, m3/s (T × leaks).
    draw_flow
        True flow of the events that draw water, in their order, m3/s (T × drawing events).
    negative_pressures
        Steps of junctions with demand below zero pressure.
    warnings
        EPANET's warnings that do not stop a run, with time and element.
    """

    network: str
    layout: SensorLayout
    town: Town
    start_at: datetime
    step_s: int
    seed: int
    leaks: tuple[Leak, ...]
    events: tuple[Event, ...]
    faults: tuple[SensorFault, ...]
    measured: dict[str, Series]
    true: dict[str, Series]
    everything: dict[str, Series]
    leak_flow: Array
    draw_flow: Array
    negative_pressures: int
    warnings: tuple[str, ...] = field(default=())

    def outside(self) -> list[str]:
        """Return a line for each leak, event and fault that lies wholly outside of the run."""
        end_at = self.start_at + timedelta(seconds=self.steps * self.step_s)
        dated: list[tuple[str, datetime, datetime | None]] = [
            *((f"leak at {leak.place}", leak.start_at, leak.end_at) for leak in self.leaks),
            *((f"event {e.kind} at {e.element_id}", e.start_at, e.end_at) for e in self.events),
            *((f"fault {f.kind} of {f.column}", f.start_at, f.end_at) for f in self.faults),
        ]
        return [
            f"{what} has no effect: it ends before the run starts"
            if last is not None and last <= self.start_at
            else f"{what} has no effect: it starts after the run ends"
            for what, first, last in dated
            if first >= end_at or (last is not None and last <= self.start_at)
        ]

    @property
    def steps(self) -> int:
        """Rows of each series."""
        return len(self.leak_flow)

    @property
    def times(self) -> pl.Series:
        """Time of each step (T), UTC."""
        return pl.datetime_range(
            self.start_at,
            self.start_at + timedelta(seconds=(self.steps - 1) * self.step_s),
            timedelta(seconds=self.step_s),
            time_unit="us",
            eager=True,
        ).alias("ts_utc")

    def wide(self) -> pl.DataFrame:
        """Return measured values: `ts_utc` and one column `quantity/sensor` for each sensor.

        Missing values are null.
        """
        return self._wide(self.measured)

    def wide_true(self) -> pl.DataFrame:
        """Return the values of `wide` without sensor errors."""
        return self._wide(self.true)

    def leak_flow_m3_per_h(self) -> Array:
        """Return the true leak flow in m3/h (T × leaks)."""
        return self.leak_flow * 3600

    def leak_volume_m3(self) -> Array:
        """Return the water lost by each leak from the first to the last step (leaks)."""
        volume: Array = self.leak_flow[:-1].sum(axis=0) * self.step_s
        return volume

    def draw_volume_m3(self) -> Array:
        """Return the water of each drawing event from the first to the last step (events)."""
        volume: Array = self.draw_flow[:-1].sum(axis=0) * self.step_s
        return volume

    def long(self) -> pl.DataFrame:
        """Return rows `ts_utc, element_id, quantity, value_si`, measured where instrumented.

        Missing values have no row. `leak_flow` comes along; leaks at one element are added up.
        """
        series: dict[str, Series] = dict(self.everything)
        for quantity, measured in self.measured.items():
            series[quantity] = _overlay(series.get(quantity), measured)
        if self.leaks:
            names = list(dict.fromkeys(leak.element_id for leak in self.leaks))
            flow = np.zeros((self.steps, len(names)))
            for i, leak in enumerate(self.leaks):
                flow[:, names.index(leak.element_id)] += self.leak_flow[:, i]
            series["leak_flow"] = Series(tuple(names), flow)
        times = self.times
        frames = [_rows(times, quantity, s) for quantity, s in series.items()]
        return pl.concat([f for f in frames if f.height] or [_rows(times, "", Series((), _NONE))])

    def _wide(self, source: dict[str, Series]) -> pl.DataFrame:
        columns = {
            f"{quantity}/{name}": np.ascontiguousarray(series.values[:, i])
            for quantity, series in source.items()
            for i, name in enumerate(series.ids)
        }
        ordered = {name: columns[name] for name in self.layout.columns()}
        frame = pl.DataFrame([self.times, *(pl.Series(n, v) for n, v in ordered.items())])
        return frame.with_columns(pl.exclude("ts_utc").fill_nan(None)) if self.faults else frame


_NONE = np.zeros((0, 0))


def _overlay(everything: Series | None, measured: Series) -> Series:
    """Put measured columns in the place of true ones."""
    if everything is None:
        return measured
    values = everything.values.copy()
    position = {name: i for i, name in enumerate(everything.ids)}
    for i, name in enumerate(measured.ids):
        values[:, position[name]] = measured.values[:, i]
    return Series(everything.ids, values)


def _rows(times: pl.Series, quantity: str, series: Series) -> pl.DataFrame:
    n = len(series.ids)
    steps = len(times)
    ids = pl.Series("element_id", series.ids, dtype=pl.String)
    rows = pl.DataFrame(
        {
            "ts_utc": pl.concat([times] * n) if n else pl.Series([], dtype=_TIME),
            "element_id": ids.gather(np.repeat(np.arange(n), steps)),
            "quantity": pl.repeat(quantity, n * steps, dtype=pl.String, eager=True),
            "value_si": series.values.T.ravel(),
        }
    )
    return rows.filter(pl.col("value_si").is_not_nan()) if np.isnan(series.values).any() else rows
