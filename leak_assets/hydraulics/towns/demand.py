"""What a town asks for: calendar patterns, the town's shape and season, and random demand.

Produces demands in chunks of a fixed number of steps, so that a run of two years needs no more
memory than a week. Nothing here knows EPANET.
"""

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.hydraulics.twin.nominal import Calendar, demand_shares
from leak_assets.sites.registry import Network

from .town import Town

Array = NDArray[np.float64]
_DAY_S = 86400
# Standard deviations of the noise are those at 5 minutes; independent noise averages out in
# longer steps.
_NOISE_STEP_S = 300


class DemandModel:
    """What the junctions of a town ask for on average: computed once, used by every run.

    Parameters
    ----------
    model
        True model of the town (`town_model.true_model`), SI.
    junctions
        Junctions with demand, in the order of the columns (N).
    """

    def __init__(self, network: Network, model: Any, town: Town, junctions: list[str]) -> None:
        self.calendar = Calendar(network, model)
        self.town = town
        shares = demand_shares(model, junctions)
        self.patterns = list(shares)
        self.base = np.array(
            [[group.get(name, 0.0) for name in junctions] for group in shares.values()]
        ).reshape(len(shares), len(junctions))

    def stream(self, start_at: datetime, step_s: int, seed: int) -> "DemandStream":
        """Return the demands of one run; the same seed and start give the same demands."""
        self.calendar.check_step(step_s)
        return DemandStream(self, start_at, step_s, seed)


class DemandStream:
    """Demands of all junctions in one run, chunk after chunk."""

    def __init__(self, model: DemandModel, start_at: datetime, step_s: int, seed: int) -> None:
        self.calendar = model.calendar
        self.start_s = int(start_at.timestamp())
        self._town = model.town
        self._noise = model.town.bounds.noise
        self._step_s = step_s
        self._patterns, self._base = model.patterns, model.base
        common, node, slow, day = np.random.SeedSequence([seed, 0xD3]).spawn(4)
        self._common_rng = np.random.default_rng(common)
        self._node_rng = np.random.default_rng(node)
        columns = self._base.shape[1]
        self._slow = _SlowNoise(self._noise.slow_cv, self._noise.slow_hours, columns, slow)
        self._day_entropy = day
        self._next_step = 0

    def chunk(self, steps: int) -> Array:
        """Return the demands of the next steps, m3/s (T × N)."""
        k = np.arange(self._next_step, self._next_step + steps, dtype=np.int64)
        self._next_step += steps
        at_s = self.start_s + k * self._step_s
        scale = np.sqrt(min(1.0, _NOISE_STEP_S / self._step_s))
        waves = np.zeros((steps, len(self._patterns)))
        for i, name in enumerate(self._patterns):
            waves[:, i] = (
                self.calendar.values(name, at_s, self.start_s)
                * self._shape(name, at_s)
                * _lognormal(self._common_rng, self._noise.common_cv * scale, (steps,))
            )
        demand = waves @ self._base
        demand *= (self._season(at_s) * self._days(at_s))[:, None]
        if self._noise.node_cv:
            size = demand.shape
            demand *= _lognormal(self._node_rng, self._noise.node_cv * scale, size)
        if self._noise.slow_cv:
            demand *= self._slow.factors(k * self._step_s / 3600)
        return np.ascontiguousarray(demand)

    def _shape(self, pattern: str, at_s: NDArray[np.int64]) -> Array:
        """Return the town's change of a pattern's daily shape (T)."""
        angle = 2 * np.pi * (at_s % _DAY_S) / _DAY_S
        log = np.zeros(len(at_s))
        for wave, (c, s) in enumerate(self._town.pattern_shape.get(pattern, ()), start=1):
            log += c * np.cos(wave * angle) + s * np.sin(wave * angle)
        return np.exp(log)

    def _season(self, at_s: NDArray[np.int64]) -> Array:
        day = at_s / _DAY_S - self._town.season_peak_day
        return 1 + self._town.season_amplitude * np.cos(2 * np.pi * day / 365.25)

    def _days(self, at_s: NDArray[np.int64]) -> Array:
        """Return the factor that the whole town has from day to day (T)."""
        days, inverse = np.unique(at_s // _DAY_S, return_inverse=True)
        entropy = self._day_entropy.generate_state(1)[0]
        # A factor belongs to its date, wherever chunks begin.
        z = [np.random.default_rng([int(entropy), int(d)]).normal() for d in days]
        return (1 + self._noise.day_cv * np.array(z))[inverse]


class _SlowNoise:
    """First-order autoregressive noise of each junction, hourly, linear in between."""

    def __init__(self, cv: float, hours: float, columns: int, seed: np.random.SeedSequence) -> None:
        self._sigma = np.sqrt(np.log1p(cv**2))
        self._keep = np.exp(-1 / hours)
        self._rng = np.random.default_rng(seed)
        self._columns = columns
        self._first_hour = 0
        self._rows = [self._rng.normal(size=columns)]

    def factors(self, hours: Array) -> Array:
        """Return factors with mean 1 at ascending hours since the start (T × N)."""
        first, last = int(hours[0]), int(hours[-1]) + 1
        while self._first_hour + len(self._rows) <= last:
            fresh = self._rng.normal(size=self._columns) * np.sqrt(1 - self._keep**2)
            self._rows.append(self._keep * self._rows[-1] + fresh)
        del self._rows[: first - self._first_hour]
        self._first_hour = first
        grid = np.stack(self._rows)
        lower = hours.astype(np.int64) - first
        part = (hours - np.floor(hours))[:, None]
        z = grid[lower] * (1 - part) + grid[lower + 1] * part
        return np.exp(self._sigma * z - self._sigma**2 / 2)


def _lognormal(rng: np.random.Generator, cv: float, size: tuple[int, ...]) -> Array:
    """Draw positive factors with mean 1 and a coefficient of variation."""
    if cv == 0:
        return np.ones(size)
    sigma = np.sqrt(np.log1p(cv**2))
    z = rng.standard_normal(size)
    z *= sigma
    z -= sigma**2 / 2
    return np.exp(z, out=z)
