"""A simulated treatment plant: readings of its sensors as a stream or as one run, with labels.

Joins process and anomalies into frames. It knows no clock and no broker: whoever feeds Redis or
MQTT paces the stream.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import numpy as np
import polars as pl

from leak_assets.errors import InputError
from leak_assets.system.clock import as_utc

from .anomalies import KINDS, Anomaly, AnomalyInjector
from .process import DECIMALS, PARAMETERS, UNITS, PlantProcess

_UTC_US = pl.Datetime("us", "UTC")
READINGS_SCHEMA = pl.Schema(
    {
        "ts_utc": _UTC_US,
        "sensor_id": pl.String(),
        "parameter": pl.String(),
        "value": pl.Float64(),
        "unit": pl.String(),
    }
)
LABELS_SCHEMA = pl.Schema(
    {
        "sensor_id": pl.String(),
        "parameter": pl.String(),
        "kind": pl.String(),
        "start_at": _UTC_US,
        "end_at": _UTC_US,
        "size": pl.Float64(),
        "unit": pl.String(),
    }
)
START_AT = datetime(2025, 5, 28, tzinfo=UTC)
# 2 million steps make 6 million rows, 0.5 GB; longer runs go through the stream.
LARGEST_RUN_STEPS = 2_000_000
# So far from the ends of the calendar that no label can lie beyond them.
_FIRST_YEAR, _LAST_YEAR = 1971, 2100


@dataclass(frozen=True)
class PlantRun:
    """Readings of some steps and the anomalies that begin in them.

    Parameters
    ----------
    readings
        One value: `ts_utc`, `sensor_id`, `parameter` (`temperature`, `pressure`, `flow`),
        `value`, `unit` (°C, bar, L/min, as the devices deliver), by time, sensor, parameter.
        Readings lost in a dropout have no row.
    labels
        One anomaly: `sensor_id`, `parameter` (null for a dropout: the sensor is silent), `kind`,
        `start_at` (first changed or missing reading), `end_at` (first reading after it; after the
        run where that ends inside the anomaly), `size` (largest deviation from the undisturbed
        reading, in `unit`; for a dropout the seconds without readings, unit `s`).
    """

    readings: pl.DataFrame
    labels: pl.DataFrame


class PlantStream:
    """Sensors `wtf-pipe-1`, `wtf-pipe-2`, … of a plant, batch after batch without end.

    The values depend on the seed, the start and the step, never on how they are cut into
    batches; adding sensors or anomalies leaves the other readings as they are.

    Parameters
    ----------
    seed
        0 or more.
    start_at
        Time of the first reading.
    sensors
        Number of sensors.
    step_s
        Seconds between readings of a sensor.
    anomaly_rate_per_h
        Mean number of anomalies of a sensor in an hour of undisturbed readings; 0 for none.
        None begins in the first minute, nor in the minute after another.
    kinds
        Anomalies to inject, of `spike`, `drift`, `dropout`; each comes equally often.

    Raises
    ------
    InputError
        If an argument cannot be used; it names argument, value and remedy.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        start_at: datetime = START_AT,
        sensors: int = 1,
        step_s: int = 2,
        anomaly_rate_per_h: float = 6.0,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        _at_least("seed", seed, 0)
        _at_least("sensors", sensors, 1)
        _at_least("step_s", step_s, 1)
        if not (isfinite(anomaly_rate_per_h) and anomaly_rate_per_h >= 0):
            raise InputError(
                f"anomaly_rate_per_h = {anomaly_rate_per_h} is no rate",
                remedy="Give the anomalies per sensor and hour, 0 for none",
            )
        kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        if not kinds or set(kinds) - set(KINDS):
            raise InputError(
                f"kinds = {kinds} must name known anomalies",
                remedy=f"Choose from {', '.join(KINDS)}; for none set the anomaly rate to 0",
            )
        self.start_at, self.step_s = as_utc(start_at, "start_at"), step_s
        if not _FIRST_YEAR <= self.start_at.year <= _LAST_YEAR:
            raise InputError(
                f"start_at = {start_at} cannot be used",
                remedy=f"Give a time in the years {_FIRST_YEAR} to {_LAST_YEAR}",
            )
        self.sensor_ids = [f"wtf-pipe-{number}" for number in range(1, sensors + 1)]
        self._next_step = 0
        self._process = PlantProcess(seed, sensors, self.start_at.timestamp(), step_s)
        chosen = tuple(kind for kind in KINDS if kind in kinds)
        self._injectors = [
            AnomalyInjector(
                [seed, 0x91, number, 1], rate_per_h=anomaly_rate_per_h, kinds=chosen, step_s=step_s
            )
            for number in range(1, sensors + 1)
        ]

    def next(self, steps: int = 1) -> PlantRun:
        """Return the readings of the next steps and the anomalies that begin in them."""
        _at_least("steps", steps, 1)
        first_step = self._next_step
        self._next_step += steps
        values = self._process.next(steps)
        for column, parameter in enumerate(PARAMETERS):
            values[:, :, column] = values[:, :, column].round(DECIMALS[parameter])
        arrives = np.ones(values.shape[:2], dtype=np.bool_)
        rows: list[dict[str, Any]] = []
        for i, injector in enumerate(self._injectors):
            values[:, i], arrives[:, i], begun = injector.inject(first_step, values[:, i])
            rows += [self._label(self.sensor_ids[i], anomaly) for anomaly in begun]
        labels = pl.DataFrame(rows, schema=LABELS_SCHEMA).sort("start_at", "sensor_id")
        return PlantRun(self._frame(first_step, values, arrives), labels)

    def batches(self, steps: int = 1) -> Iterator[PlantRun]:
        """Yield batches of some steps, in the order of time, without end."""
        while True:
            yield self.next(steps)

    def _frame(self, first_step: int, values: Any, arrives: Any) -> pl.DataFrame:
        step, sensor = np.nonzero(arrives)
        at_us = round(self.start_at.timestamp() * 1e6) + (first_step + step) * self.step_s * 10**6
        names, units = list(PARAMETERS), [UNITS[name] for name in PARAMETERS]
        sensor_ids = pl.Series(self.sensor_ids).gather(np.repeat(sensor, len(names)))
        return pl.DataFrame(
            {
                "ts_utc": np.repeat(at_us, len(names)),
                "sensor_id": sensor_ids,
                "parameter": names * len(step),
                "value": values[step, sensor].reshape(-1),
                "unit": units * len(step),
            }
        ).cast(READINGS_SCHEMA)

    def _label(self, sensor_id: str, anomaly: Anomaly) -> dict[str, Any]:
        step = timedelta(seconds=self.step_s)
        return {
            "sensor_id": sensor_id,
            "parameter": anomaly.parameter,
            "kind": anomaly.kind,
            "start_at": self.start_at + anomaly.first_step * step,
            "end_at": self.start_at + anomaly.end_step * step,
            "size": anomaly.size,
            "unit": "s" if anomaly.parameter is None else UNITS[anomaly.parameter],
        }


def simulate_plant(
    duration_s: int,
    seed: int = 1,
    *,
    start_at: datetime = START_AT,
    sensors: int = 1,
    step_s: int = 2,
    anomaly_rate_per_h: float = 6.0,
    kinds: Sequence[str] = KINDS,
) -> PlantRun:
    """Return the readings of a plant from its start until before `start_at + duration_s`.

    A longer run with otherwise the same arguments begins with the same readings and labels. The
    other arguments are those of `PlantStream`.

    Raises
    ------
    InputError
        If an argument cannot be used; it names argument, value and remedy.
    """
    _at_least("duration_s", duration_s, 1)
    _at_least("sensors", sensors, 1)
    _at_least("step_s", step_s, 1)
    steps = -(-duration_s // step_s)
    if steps * sensors > LARGEST_RUN_STEPS:
        raise InputError(
            f"duration_s = {duration_s} at step_s = {step_s} makes {steps * sensors:,} steps of"
            f" sensors, more than {LARGEST_RUN_STEPS:,}",
            remedy="Simulate a shorter time, or take batches from PlantStream",
        )
    stream = PlantStream(
        seed,
        start_at=start_at,
        sensors=sensors,
        step_s=step_s,
        anomaly_rate_per_h=anomaly_rate_per_h,
        kinds=kinds,
    )
    return stream.next(steps)


def messages(readings: pl.DataFrame) -> list[dict[str, Any]]:
    """Return readings as the plant's devices send them: one message per time and sensor.

    Each has `timestamp` (ISO 8601, UTC), `sensor_id`, and `temperature` (°C), `pressure` (bar)
    and `flow` (L/min).
    """
    wide = readings.pivot("parameter", index=["ts_utc", "sensor_id"], values="value")
    stamp = pl.col("ts_utc").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ").alias("timestamp")
    return wide.select(stamp, "sensor_id", *PARAMETERS).to_dicts() if wide.height else []


def _at_least(name: str, value: int, least: int) -> None:
    # A boolean or a fraction would pass the comparison and break far from here.
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(
            f"{name} = {value!r} cannot be used", remedy=f"Give a whole number of {least} or more"
        )
