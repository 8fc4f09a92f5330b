"""Anomalies put into the readings of one sensor: spike, drift, dropout, with exact labels.

Only when an anomaly comes, how long and how large it is. The process itself is untouched: these
are faults of the sensor and its line, so a drift of the flow reading leaves the pressure alone.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from .process import DECIMALS, PARAMETERS, Array

KINDS = ("spike", "drift", "dropout")

# After an anomaly, and at the start of a run, this long nothing happens: one anomaly is over,
# for every rule, before the next begins.
CLEAR_S = 60.0

# Readings that anomalies reach. Spikes lie beyond the widest spike limits of the plant rules
# (5-45 °C, 0.5-4.0 bar, 10-120 L/min); drifts beyond the widest drift limits (10-38 °C,
# 1.0-3.5 bar, 20-110 L/min) but inside the narrowest spike limits (5-40 °C, 0.5-4.0 bar,
# 10-120 L/min), with room for noise.
_SPIKES = {
    "temperature": ((46.0, 55.0), (-5.0, 4.0)),
    "pressure": ((4.2, 6.0), (0.1, 0.4)),
    "flow": ((125.0, 160.0), (2.0, 6.0)),
}
_DRIFTS = {
    "temperature": ((38.6, 39.4), (6.5, 8.5)),
    "pressure": ((3.65, 3.85), (0.65, 0.85)),
    "flow": ((114.0, 116.0), (14.0, 16.0)),
}
_HIGH_SHARE = 0.75  # the rest is low; one of the two rule profiles knows upper limits only
_SPIKE_READINGS, _SPIKE_S = 3, 10  # a spike shorter than the 15 s that make a drift
_DRIFT_S = (60.0, 180.0)  # the second half at full size: 30 s at least
_DROPOUT_S = (12.0, 60.0)  # rules call more than 10 s a dropout


@dataclass(frozen=True)
class Anomaly:
    """One anomaly of one sensor.

    Parameters
    ----------
    kind
        One of `KINDS`.
    parameter
        What it changes; None for a dropout, which takes all readings of the sensor.
    first_step, end_step
        First step that it changes and first step after it.
    size
        Largest deviation from the undisturbed reading, in the parameter's unit; for a dropout
        the seconds without readings.
    """

    kind: str
    parameter: str | None
    first_step: int
    end_step: int
    size: float


@dataclass(frozen=True)
class _Plan:
    """An anomaly that has not begun: its size depends on the reading that it meets."""

    kind: str
    parameter: str | None
    first_step: int
    end_step: int
    target: float


class AnomalyInjector:
    """Changes the readings of one sensor, step after step, and tells what it changed.

    Parameters
    ----------
    seed
        Entropy of this sensor's anomalies; apart from that of its values.
    rate_per_h
        Mean number of anomalies in an hour of undisturbed readings; 0 for none.
    kinds
        What may come, each equally often.
    step_s
        Seconds between steps.
    """

    def __init__(
        self, seed: list[int], *, rate_per_h: float, kinds: tuple[str, ...], step_s: int
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._rate_per_h, self._kinds, self._step_s = rate_per_h, kinds, step_s
        self._plan = self._draw(0) if rate_per_h > 0 else None
        self._running: Anomaly | None = None

    def inject(
        self, first_step: int, values: Array
    ) -> tuple[Array, NDArray[np.bool_], list[Anomaly]]:
        """Return readings with anomalies, which of them arrive, and the anomalies that begin.

        Parameters
        ----------
        first_step
            Number of the first row; each call goes on where the last one ended.
        values
            Undisturbed readings (T × 3), rounded as the devices do.

        Returns
        -------
        tuple
            Readings (T × 3), arrival (T, False in a dropout), anomalies by their first step.
        """
        values, arrives = values.copy(), np.ones(len(values), dtype=np.bool_)
        end_step, begun = first_step + len(values), []
        while True:
            if self._running is None:
                if self._plan is None or self._plan.first_step >= end_step:
                    break
                self._running = _begin(self._plan, values[self._plan.first_step - first_step])
                begun.append(_labeled(self._running, self._step_s))
                self._plan = self._draw(self._plan.end_step)
            running = self._running
            steps = np.arange(max(first_step, running.first_step), min(end_step, running.end_step))
            if running.parameter is None:
                arrives[steps - first_step] = False
            else:
                column = PARAMETERS.index(running.parameter)
                changed = values[steps - first_step, column] + _deviation(running, steps)
                values[steps - first_step, column] = changed.round(DECIMALS[running.parameter])
            if running.end_step > end_step:
                break
            self._running = None
        return values, arrives, begun

    def _draw(self, after_step: int) -> _Plan:
        """Return the next anomaly after a step at which the last one ended."""
        wait_s = CLEAR_S + self._rng.exponential(3600 / self._rate_per_h)
        first_step = after_step + ceil(wait_s / self._step_s)
        kind = self._kinds[int(self._rng.integers(len(self._kinds)))]
        if kind == "dropout":
            steps = ceil(self._rng.uniform(*_DROPOUT_S) / self._step_s)
            return _Plan(kind, None, first_step, first_step + steps, 0.0)
        parameter = PARAMETERS[int(self._rng.integers(len(PARAMETERS)))]
        high, low = (_SPIKES if kind == "spike" else _DRIFTS)[parameter]
        target = self._rng.uniform(*(high if self._rng.random() < _HIGH_SHARE else low))
        if kind == "spike":
            most = max(1, min(_SPIKE_READINGS, _SPIKE_S // self._step_s))
            steps = int(self._rng.integers(1, most + 1))
        else:
            steps = ceil(self._rng.uniform(*_DRIFT_S) / self._step_s)
        return _Plan(kind, parameter, first_step, first_step + steps, float(target))


def _begin(plan: _Plan, reading: Array) -> Anomaly:
    size = 0.0
    if plan.parameter is not None:
        undisturbed = float(reading[PARAMETERS.index(plan.parameter)])
        size = round(plan.target - undisturbed, DECIMALS[plan.parameter])
    return Anomaly(plan.kind, plan.parameter, plan.first_step, plan.end_step, size)


def _labeled(anomaly: Anomaly, step_s: int) -> Anomaly:
    if anomaly.parameter is not None:
        return anomaly
    seconds = float((anomaly.end_step - anomaly.first_step) * step_s)
    return Anomaly(anomaly.kind, None, anomaly.first_step, anomaly.end_step, seconds)


def _deviation(anomaly: Anomaly, steps: NDArray[np.int64]) -> Array:
    """Return the deviation at steps (T): a spike at once, a drift growing through its half."""
    if anomaly.kind == "spike":
        return np.full(len(steps), anomaly.size)
    growing = ceil((anomaly.end_step - anomaly.first_step) / 2)
    return anomaly.size * np.minimum(1.0, (steps - anomaly.first_step + 1) / growing)
