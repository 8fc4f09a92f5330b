"""Faults of a home's plumbing: slow leak, running toilet, tap left open, burst pipe.

Only the water that they draw; whether somebody notices is the engine's business.
"""

from dataclasses import dataclass
from datetime import datetime
from math import ceil

from leak_assets.errors import InputError
from leak_assets.system.clock import as_utc

from .uses import Draw, Use

# 0.3 US gal/min, a common setting of low-flow alarms; 0.5 L/min through a flapper make the
# 200 US gal (757 L) a day that US EPA WaterSense names for a running toilet.
# A tap left open runs as REU 2016's tap at full; a burst washing machine hose takes 20 L/min.
FAULT_FLOW_L_PER_MIN = {
    "slow_leak": 1.1,
    "toilet_flapper": 0.5,
    "tap_left_open": 6.0,
    "burst": 20.0,
}
FAULT_KINDS = tuple(FAULT_FLOW_L_PER_MIN)
# The fill valve opens when 2 L are gone, so that 0.5 L/min refill every 4 minutes.
REFILL_L, REFILL_FLOW_L_PER_MIN = 2.0, 6.0


@dataclass(frozen=True)
class Fault:
    """A fault from a start until its repair.

    Parameters
    ----------
    kind
        `slow_leak`, `tap_left_open`, `burst` (run all the time) or `toilet_flapper` (equal refills,
        again and again).
    start_at, end_at
        With time zone; without end it lasts to the end of the history.
    flow_l_per_min
        Water lost; by default `FAULT_FLOW_L_PER_MIN`. A flapper loses less than its valve fills
        (6 L/min).

    Raises
    ------
    InputError
        If an argument cannot be used; it names argument, value and remedy.
    """

    kind: str
    start_at: datetime
    end_at: datetime | None = None
    flow_l_per_min: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise InputError(
                f"fault kind {self.kind!r} is unknown", remedy=f"Choose {' or '.join(FAULT_KINDS)}"
            )
        start_at = as_utc(self.start_at, f"start of {self.kind}")
        if self.end_at is not None and as_utc(self.end_at, f"end of {self.kind}") <= start_at:
            raise InputError(
                f"end {self.end_at} of {self.kind} is not after its start {self.start_at}",
                remedy="Give a later end, or none",
            )
        limit = REFILL_FLOW_L_PER_MIN if self.kind == "toilet_flapper" else 1000.0
        if not 0 < self.flow < limit:
            raise InputError(
                f"flow_l_per_min = {self.flow} of {self.kind} cannot be used",
                remedy=f"Give more than 0 and less than {limit:g} L/min",
            )

    @property
    def flow(self) -> float:
        """Water lost, L/min."""
        if self.flow_l_per_min is None:
            return FAULT_FLOW_L_PER_MIN[self.kind]
        return self.flow_l_per_min

    def use(self, start_at: datetime, end_at: datetime) -> Use | None:
        """Return what the fault draws within a history, None if it lies outside."""
        begin = as_utc(self.start_at, "start")
        end = end_at if self.end_at is None else min(as_utc(self.end_at, "end"), end_at)
        if end <= max(begin, start_at):
            return None
        seconds = (end - begin).total_seconds()
        if self.kind != "toilet_flapper":
            draws: tuple[Draw, ...] = (Draw(0.0, seconds, self.flow),)
        else:
            # The tank has to run out before it fills again.
            period_s, refill_s = 60 * REFILL_L / self.flow, 60 * REFILL_L / REFILL_FLOW_L_PER_MIN
            draws = tuple(
                Draw(number * period_s, refill_s, REFILL_FLOW_L_PER_MIN)
                for number in range(1, ceil(seconds / period_s))
            )
        return Use(self.kind, begin, end, draws).within(start_at, end_at)
