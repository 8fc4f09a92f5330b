"""Made-up half-hour channels of a small network, told day by day.

Builders only; what a leak does is known exactly, so that decisions can be tested alone.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.detection.detector import Observed
from leak_assets.detection.hypothesis import Hypothesis
from leak_assets.detection.likelihood.method import CHANNELS, REFERENCES, LikelihoodDetector
from leak_assets.detection.likelihood.responses import Responses
from leak_assets.detection.likelihood.state import LikelihoodState
from leak_assets.features.half_hours import M3_PER_H, PER_DAY, ChannelReference
from leak_assets.warehouse.schemas.features import CHANNELS_30M

NETWORK = "made-up"
FIRST_DAY = date(2019, 1, 1)
REFERENCE_DAYS = 7
# Two zones: the inflow of the larger one is forecast, the small one has AMR meters.
PRESSURES = ("pressure/a", "pressure/b", "pressure/c", "pressure/d")
NAMES = (*PRESSURES, "balance/0", "balance/1")
PIPES = ("p0", "p1", "p2", "p3", "p4")
# Change of the pressures in metres by a leak of 1 m3/h at each pipe; the last two lie together.
LEAKS_M = np.array(
    [
        [-0.010, -0.004, -0.002, -0.001],
        [-0.002, -0.012, -0.003, -0.001],
        [-0.001, -0.003, -0.009, -0.004],
        [-0.001, -0.001, -0.003, -0.011],
        [-0.0012, -0.0011, -0.0032, -0.0105],
    ]
)
METERS_M = np.array([[0.003, 0.003, 0.003, 0.001], [0.0, 0.0, 0.0, 0.004]])
ZONES = np.array([0, 0, 0, 1, 1])
_POSITION_M = np.array([0.0, 500.0, 1000.0, 1500.0, 1600.0])
# Deviation of half-hour residuals; their daily means scatter with 0.28 of it.
HALF_HOUR_SD = np.array([0.02, 0.02, 0.02, 0.02])
USUAL_M3_PER_H = (100.0, 40.0)

Floats = NDArray[np.float64]


def responses() -> Responses:
    """Return what leaks and wrong meters do."""
    return Responses(
        PIPES,
        PRESSURES,
        LEAKS_M * M3_PER_H,
        METERS_M * M3_PER_H,
        ZONES,
        np.abs(_POSITION_M[:, None] - _POSITION_M[None]),
    )


def detector(repairs: Sequence[tuple[str, date]] = ()) -> LikelihoodDetector:
    """Return the likelihood method for the network."""
    return LikelihoodDetector(NETWORK, responses, repairs=repairs)


def effect_of(pipe: str) -> Floats:
    """Return what 1 m3/h at a pipe changes in all channels (6)."""
    number = PIPES.index(pipe)
    return np.concatenate([LEAKS_M[number], np.eye(2)[ZONES[number]]])


def reference(first_day: date = FIRST_DAY) -> ChannelReference:
    """Return seven quiet days."""
    days = tuple(first_day + timedelta(days=i) for i in range(REFERENCE_DAYS))
    return ChannelReference(
        days,
        NAMES,
        (False, False, False, False, False, True),
        np.array([np.nan] * 4 + [1.0, 1.0]),
        np.array([50.0] * 4 + list(USUAL_M3_PER_H)),
        np.diag(HALF_HOUR_SD**2),
        np.zeros((REFERENCE_DAYS, len(NAMES))),
    )


def quiet_days(days: int, seed: int = 1) -> Floats:
    """Return daily means of so many days after the reference without a leak (D × 6)."""
    rng = np.random.default_rng(seed)
    sd = np.array([*(0.2 * HALF_HOUR_SD), 1.0, 0.2])
    return sd * rng.standard_normal((days, len(NAMES)))


def quiet_half_hours(days: int, seed: int = 1) -> Floats:
    """Return half-hours of so many days after the reference without a leak (D × 48 × 6)."""
    rng = np.random.default_rng(seed)
    sd = np.array([*HALF_HOUR_SD, 5.0, 1.0])
    noise = sd * rng.standard_normal((days, PER_DAY, len(NAMES)))
    return quiet_days(days, seed)[:, None] + noise


def with_burst(
    values: Floats, pipe: str, began_at: float, flow_m3_per_h: float, ended_at: float | None = None
) -> Floats:
    """Return half-hours with a leak from one time to another, in days after the first."""
    out = values.copy()
    flat = out.reshape(-1, len(NAMES))
    last = None if ended_at is None else round(ended_at * PER_DAY)
    flat[round(began_at * PER_DAY) : last] += flow_m3_per_h * effect_of(pipe)
    return out


def with_leak(
    values: Floats, pipe: str, first: int, flow_m3_per_h: float, last: int | None = None
) -> Floats:
    """Return days with a leak that begins with day `first` and is gone on day `last`."""
    out = values.copy()
    out[first:last] += flow_m3_per_h * effect_of(pipe)
    return out


def day_of(number: int) -> date:
    """Return a day by its number after the reference."""
    return FIRST_DAY + timedelta(days=REFERENCE_DAYS + number)


def rows_of(day: date, values: Floats, steps: int = PER_DAY) -> pl.DataFrame:
    """Return rows of `features.channels_30m` of a day (so far); NaN is missing.

    Parameters
    ----------
    values
        Residuals of the half-hours (48 × 6), or their means (6), about which they move by some
        millimetres: a still sensor would count as stuck.
    """
    wave = 0.004 * np.cos(2 * np.pi * np.arange(PER_DAY) / PER_DAY)
    residual = (values if values.ndim == 2 else values[None] + wave[:, None])[:steps]
    count = len(NAMES)
    begin = datetime.combine(day, time(), UTC)
    at = [begin + timedelta(minutes=30 * i) for i in range(steps)]
    flat = residual.ravel()
    usual = np.tile([50.0] * len(PRESSURES) + list(USUAL_M3_PER_H), steps)
    return pl.DataFrame(
        {
            "network": NETWORK,
            "ts_utc": [t for t in at for _ in range(count)],
            "channel": list(NAMES) * steps,
            "measured": pl.Series(usual + flat, dtype=pl.Float64).fill_nan(None),
            "expected": usual,
            "residual": pl.Series(flat, dtype=pl.Float64).fill_nan(None),
            "mask": np.isfinite(flat).astype(np.int8),
        },
        schema=CHANNELS_30M.polars_schema,
    )


def observed(number: int, values: Floats, steps: int = PER_DAY) -> Observed:
    """Return a day after the reference as the method sees it."""
    day = day_of(number)
    return seen(day, {CHANNELS: rows_of(day, values, steps)})


def seen(day: date, tables: Mapping[str, pl.DataFrame]) -> Observed:
    """Return a day with the reference beside its own tables."""
    return Observed(day, {REFERENCES: reference().to_frame(NETWORK), **tables})


def run(
    method: LikelihoodDetector,
    values: Floats,
    state: LikelihoodState | None = None,
    first: int = 0,
) -> tuple[LikelihoodState, list[Hypothesis]]:
    """Take days from number `first` on; return the state and all hypotheses."""
    state = method.start() if state is None else state
    found: list[Hypothesis] = []
    for number in range(first, len(values)):
        state, findings = method.step(state, observed(number, values[number]))
        found += findings.hypotheses
    return state, found
