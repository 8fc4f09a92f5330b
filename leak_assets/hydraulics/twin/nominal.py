"""Nominal demands of a network model over calendar time: base demands times time patterns.

What the model's file says about demand and when; neither measurements nor a town's differences
enter. Scenarios and twin both take it from here, so that they agree about what 7 o'clock is.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.sites.registry import Network

Floats = NDArray[np.float64]
_DAY_S = 86400
CONSTANT = ""


class Calendar:
    """Values of the model's time patterns at absolute times.

    Index 0 of a pattern is midnight of `Network.pattern_epoch` (of the first weekday that the
    network's settings name), moved by the model's own pattern start and clock start. A pattern
    whose length is no whole number of days (Net2's 55 hours) has no place in the calendar: it
    begins on the first day of each run.

    Attributes
    ----------
    midnight_s
        Unix time of the midnight at which the calendar begins.
    """

    def __init__(self, network: Network, model: Any) -> None:
        self._step_s = int(model.options.time.pattern_timestep)
        shift = int(model.options.time.pattern_start) - int(model.options.time.start_clocktime)
        epoch = datetime.combine(network.pattern_epoch, time(), UTC)
        self.midnight_s = int(epoch.timestamp())
        self._origin_s = self.midnight_s - shift
        self._values = {
            name: np.asarray(pattern.multipliers, dtype=np.float64)
            for name, pattern in model.patterns()
        }
        self._inp = network.inp_path

    def check_step(self, step_s: int) -> None:
        """Refuse a step that would skip over values of the patterns."""
        longest = max((len(v) for v in self._values.values()), default=1)
        if step_s <= 0 or (longest > 1 and self._step_s % step_s):
            raise InputError(
                f"a step of {step_s} s does not divide the pattern step of {self._step_s} s",
                remedy="Choose a step that divides it",
                file=self._inp,
            )

    def values(self, pattern: str, at_s: NDArray[np.int64], start_s: int) -> Floats:
        """Return the multipliers of a pattern at Unix times (any shape); 1 for `CONSTANT`.

        `start_s` is the Unix time of the start of the run.
        """
        multipliers = self._values.get(pattern)
        if multipliers is None or len(multipliers) == 0:
            return np.ones(at_s.shape)
        period_s = len(multipliers) * self._step_s
        origin_s = self._origin_s
        if period_s % _DAY_S and _DAY_S % period_s:
            origin_s += (start_s - origin_s) // _DAY_S * _DAY_S
        return multipliers[((at_s - origin_s) // self._step_s) % len(multipliers)]

    def means(self, pattern: str, at_s: NDArray[np.int64], step_s: float) -> Floats:
        """Return the mean multiplier of a pattern over steps that begin at Unix times (T).

        A pattern without a place in the calendar begins on the first day of these times.
        """
        if not len(at_s):
            return np.ones(0)
        offsets = np.arange(0, max(step_s, 1), self._step_s).astype(np.int64)
        return self.values(pattern, at_s[:, None] + offsets, int(at_s[0])).mean(axis=1)


def demand_shares(model: Any, junctions: Iterable[str]) -> dict[str, dict[str, float]]:
    """Return the base demands of junctions by pattern: `{pattern: {junction: m3/s}}`.

    A demand without a pattern of its own follows the model's default pattern, as in EPANET.
    """
    hydraulic = model.options.hydraulic
    default = hydraulic.pattern if hydraulic.pattern in model.pattern_name_list else CONSTANT
    shares: dict[str, dict[str, float]] = {}
    for name in junctions:
        for demand in model.get_node(name).demand_timeseries_list:
            if demand.base_value:
                group = shares.setdefault(demand.pattern_name or default, {})
                base = float(demand.base_value) * float(hydraulic.demand_multiplier)
                group[name] = group.get(name, 0.0) + base
    return shares
