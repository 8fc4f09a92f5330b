"""What the sensors of a treatment plant would read if nothing failed.

Water temperature, pump pressure and flow of each pipe as seeded processes. No anomalies and no
frames here. Values are in the units of the plant's devices: °C, bar, L/min.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PARAMETERS = ("temperature", "pressure", "flow")
UNITS = {"temperature": "°C", "pressure": "bar", "flow": "L/min"}
DECIMALS = {"temperature": 2, "pressure": 3, "flow": 2}  # of the devices' displays

_DAY_S = 86400
_YEAR_S = 365.25 * _DAY_S
# Everything below stays well inside the normal ranges of the plant rules (10-35 °C, 1-3 bar,
# 20-100 L/min): the largest excursions are 60 x 1.1 x 1.26 + 5 sigma = 89 L/min and the 1.1 bar
# that belong to it, so that a run without anomalies breaks no rule.
_WATER_C, _YEARLY_C, _DAILY_C = 18.0, 4.0, 0.8
_WARMEST_DAY_OF_YEAR, _WARMEST_HOUR = 210, 16
_FLOW_L_PER_MIN, _PIPE_SPREAD = 60.0, 0.1
# Two waves a day: production follows the demand's peaks at about 8 and 19 h.
_DAILY_FLOW = ((0.16, 13.5, 1), (0.10, 7.5, 2))  # share of the mean, hour of maximum, waves a day
# One-point pump curve of EPANET (2.2 user manual, section 3.2): shut-off head 4/3 of the design
# head, no head at twice the design flow: h = hd * (4 - (q / qd)^2) / 3.
_DESIGN_BAR, _DESIGN_L_PER_MIN = 2.0, 60.0


@dataclass(frozen=True)
class _Slow:
    """First-order autoregressive noise: standard deviation and time constant."""

    sd: float
    time_constant_s: float


_COMMON_TEMPERATURE = _Slow(0.4, 6 * 3600)
_FLOW = _Slow(1.0, 300)
_PRESSURE = _Slow(0.02, 120)
_READING_SD = np.array([0.02, 0.005, 0.3])  # noise of single readings, by parameter


class _Autoregressive:
    """Stationary AR(1) series with unit variance that goes on where the last call ended."""

    def __init__(self, time_constant_s: float, step_s: int, first: float) -> None:
        self._keep = float(np.exp(-step_s / time_constant_s))
        self._state = np.array([self._keep * first])

    def next(self, innovations: Array) -> Array:
        """Return the next values (T) from standard normal innovations (T)."""
        from scipy.signal import lfilter

        fresh = float(np.sqrt(1 - self._keep**2))
        values, self._state = lfilter([fresh], [1.0, -self._keep], innovations, zi=self._state)
        return np.asarray(values, dtype=np.float64)


class PlantProcess:
    """Values of all pipes, step after step.

    The noise of a pipe has its own seed: adding a pipe leaves the others as they are. All pipes
    carry the same raw water, so its slow temperature changes are common.

    Parameters
    ----------
    seed
        The same seed gives the same values, however they are cut into calls.
    pipes
        Number of pipes (S).
    start_s
        Unix time of the first step; the courses of day and year are in UTC.
    step_s
        Seconds between steps.
    """

    def __init__(self, seed: int, pipes: int, start_s: float, step_s: int) -> None:
        self._start_s, self._step_s = start_s, step_s
        self._next_step = 0
        self._raw_rng = np.random.default_rng([seed, 0x91, 0, 0])
        first = float(self._raw_rng.standard_normal())
        self._raw = _Autoregressive(_COMMON_TEMPERATURE.time_constant_s, step_s, first)
        self._pipes = [_Pipe(seed, number, step_s) for number in range(1, pipes + 1)]

    def next(self, steps: int) -> Array:
        """Return the next values (T × S × 3), parameters in the order of `PARAMETERS`."""
        numbers = np.arange(self._next_step, self._next_step + steps, dtype=np.float64)
        at_s = self._start_s + numbers * self._step_s
        self._next_step += steps
        temperature = water_temperature_c(at_s)
        temperature += _COMMON_TEMPERATURE.sd * self._raw.next(self._raw_rng.standard_normal(steps))
        course = daily_flow_factor(at_s)
        return np.stack([pipe.next(temperature, course) for pipe in self._pipes], axis=1)


class _Pipe:
    """One pipe with its pump and three sensors."""

    def __init__(self, seed: int, number: int, step_s: int) -> None:
        self._rng = np.random.default_rng([seed, 0x91, number, 0])
        spread = self._rng.uniform(-_PIPE_SPREAD, _PIPE_SPREAD)
        self._mean_l_per_min = _FLOW_L_PER_MIN * (1 + spread)
        flow, pressure = self._rng.standard_normal(2).tolist()
        self._flow = _Autoregressive(_FLOW.time_constant_s, step_s, flow)
        self._pressure = _Autoregressive(_PRESSURE.time_constant_s, step_s, pressure)

    def next(self, temperature_c: Array, course: Array) -> Array:
        """Return temperature, pressure and flow (T × 3)."""
        # One draw of rows for all series: rows come out the same however calls cut them.
        z = self._rng.standard_normal((len(course), 5))
        flow = self._mean_l_per_min * course + _FLOW.sd * self._flow.next(z[:, 0])
        pressure = pump_pressure_bar(flow) + _PRESSURE.sd * self._pressure.next(z[:, 1])
        return np.stack([temperature_c, pressure, flow], axis=1) + _READING_SD * z[:, 2:]


def pump_pressure_bar(flow_l_per_min: Array) -> Array:
    """Return the pressure behind the pump (bar) at a flow (L/min): EPANET's one-point curve."""
    return _DESIGN_BAR * (4 - (flow_l_per_min / _DESIGN_L_PER_MIN) ** 2) / 3


def water_temperature_c(at_s: Array) -> Array:
    """Return the mean raw-water temperature (°C) at Unix times (T): yearly and daily wave."""
    year = 2 * np.pi * (at_s - _WARMEST_DAY_OF_YEAR * _DAY_S) / _YEAR_S
    day = 2 * np.pi * (at_s / _DAY_S - _WARMEST_HOUR / 24)
    return _WATER_C + _YEARLY_C * np.cos(year) + _DAILY_C * np.cos(day)


def daily_flow_factor(at_s: Array) -> Array:
    """Return the flow at Unix times (T) as a share of its daily mean."""
    hours = at_s % _DAY_S / 3600
    factor = np.ones(len(at_s))
    for share, peak_hour, waves in _DAILY_FLOW:
        factor += share * np.cos(2 * np.pi * waves * (hours - peak_hour) / 24)
    return factor
