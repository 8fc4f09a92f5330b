"""What flows into an area and stays there, step by step: inflows, outflows, what tanks store.

Series only; nights and days are cut out of them in `night_flow` and `balance`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.sites.areas import Area, Tank
from leak_assets.telemetry.long_wide import to_wide

Floats = NDArray[np.float64]
# Volume (m3) that a tank holds at levels (m): from a network's model.
Volume = Callable[[str, Floats], Floats]
# Least share of an hour's or a day's steps that must be measured for its figure to count.
LEAST_COVERAGE = 0.75
# Most of a day that may pass between its edges and the levels that stand for them.
_EDGE_S = 3600


@dataclass(frozen=True, eq=False)
class AreaFlow:
    """An area's flows on a grid without gaps (T); NaN where something needed was not measured.

    Parameters
    ----------
    start
        First step, UTC.
    step_s
        Length of a step; a value stands for the time from its stamp to the next.
    inflow, outflow
        Over all meters together, m3/s, neither below zero. A meter that runs backwards counts on
        the other side.
    stored_m3
        Volume in the tanks; None without tanks.
    pressure_m
        Mean of the pressure sensors that have a value.
    used
        What customers use by their meters, m3/s; NaN without such.
    """

    start: datetime
    step_s: int
    inflow: Floats
    outflow: Floats
    stored_m3: Floats | None
    pressure_m: Floats
    used: Floats

    @property
    def net(self) -> Floats:
        """Inflow less outflow, m3/s, tanks not counted (T)."""
        return self.inflow - self.outflow

    def place(self, at: datetime) -> int:
        """Return the number of the first step at or after an instant, from 0 to T."""
        steps = -((self.start - at) // timedelta(seconds=self.step_s))
        return min(max(steps, 0), len(self.inflow))

    def at(self, place: int) -> datetime:
        """Return the instant of a step."""
        return self.start + timedelta(seconds=self.step_s * place)

    def stored(self, first: int, end: int) -> float:
        """Return what tanks stored more over the steps from `first` to before `end`, m3.

        The change from the step before them to the last. Where levels are missing there, the
        nearest inside count, if not more than a quarter of the time or an hour is left out;
        else NaN.
        """
        if self.stored_m3 is None:
            return 0.0
        before = max(first - 1, 0)
        known = before + np.flatnonzero(np.isfinite(self.stored_m3[before:end]))
        steps = end - first
        missing = steps - (known[-1] - known[0]) if known.size else steps
        if missing > min((1 - LEAST_COVERAGE) * steps, max(1.0, _EDGE_S / self.step_s)):
            return np.nan
        change = self.stored_m3[known[-1]] - self.stored_m3[known[0]]
        return float(change * steps / (known[-1] - known[0]))

    def net_m3(self, first: int, end: int) -> float:
        """Return the net inflow less what tanks stored over some steps, m3.

        The mean of the measured steps stands for the others; NaN where less than three quarters
        were measured.
        """
        inside = self.net[first:end]
        known = np.isfinite(inside)
        if end <= first or known.sum() < LEAST_COVERAGE * (end - first):
            return np.nan
        flowed = inside[known].mean() * (end - first) * self.step_s
        return float(flowed) - self.stored(first, end)


def area_flow(
    readings: pl.DataFrame,
    area: Area,
    *,
    start: datetime,
    end: datetime,
    step_s: int,
    volume: Volume | None = None,
) -> AreaFlow:
    """Return the flows of an area between two instants.

    Parameters
    ----------
    readings
        Rows of `telemetry.readings` on a grid of `step_s`; what is masked (missing, estimated)
        does not count.
    start, end
        First step, and the instant after the last, UTC.
    volume
        Of a tank by its level; by default the tank's surface times the level.
    """
    wanted = pl.DataFrame(
        area.sensors(), schema={"quantity": pl.String, "sensor_id": pl.String}, orient="row"
    )
    own = readings.filter(pl.col("ts_utc") >= start, pl.col("ts_utc") < end)
    wide = to_wide(own.join(wanted, on=["quantity", "sensor_id"], how="semi"))
    count = round((end - start) / timedelta(seconds=step_s))
    place = ((wide["ts_utc"] - start).dt.total_seconds() // step_s).to_numpy()

    def column(quantity: str, name: str) -> Floats:
        values = np.full(count, np.nan)
        if f"{quantity}/{name}" in wide.columns:
            values[place] = wide[f"{quantity}/{name}"].to_numpy()
        return values

    signed = np.array([sign * column("flow", name) for name, sign in area.meters.items()])
    volumes = [(volume or _cylinder(tank))(tank.level, column("level", tank.level))
               for tank in area.tanks]  # fmt: skip
    return AreaFlow(
        start,
        step_s,
        np.maximum(signed, 0.0).sum(axis=0),
        np.maximum(-signed, 0.0).sum(axis=0),
        np.sum(volumes, axis=0) if volumes else None,
        _mean_of_known([column("pressure", name) for name in area.pressures], count),
        _sum([column("demand", name) for name in area.customers], count) / area.customers_share,
    )


def _cylinder(tank: Tank) -> Volume:
    return lambda _name, level: tank.area_m2 * level


def _mean_of_known(columns: list[Floats], count: int) -> Floats:
    values = np.array(columns).reshape(len(columns), count)
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    number = known.sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _sum(columns: list[Floats], count: int) -> Floats:
    return np.sum(columns, axis=0) if columns else np.full(count, np.nan)
