"""Why a reading is not simply good: the bits of `flags`, and the quality that follows from them.

The one home of both; what raises a bit is decided in the module of its judgement.
"""

from enum import IntFlag
from typing import Literal

Quality = Literal["good", "suspect", "bad", "estimated", "missing"]
LINEAR = "linear"


class Reason(IntFlag):
    """Reasons of a reading, added up in `telemetry.readings.flags` and in a sensor's day.

    The bits up to `COUNTER_ROLLOVER` are of single readings and follow from what was known at
    their time; the later ones are of a sensor's day, in `telemetry.sensor_quality_daily`.
    """

    OUTLIER = 1
    INTERPOLATED = 2
    GAP = 4
    RANGE = 8
    RATE_OF_CHANGE = 16
    FLAT_LINE = 32
    DUPLICATE_TIME = 64
    TIME_INCONSISTENT = 128
    REVERSE_FLOW = 256
    COUNTER_ROLLOVER = 512
    UNIT_SUSPECT = 1024
    CLOCK_DRIFT = 1 << 16
    TIMESTAMP_DRIFT = 1 << 17
    UNIT_STEP = 1 << 18
    BALANCE = 1 << 19
    SILENT = 1 << 20


WORDS: dict[Reason, str] = {
    Reason.OUTLIER: "more than three standard deviations from the leak-free reference",
    Reason.INTERPOLATED: "filled from its neighbors",
    Reason.GAP: "no reading and none filled in",
    Reason.RANGE: "outside of what is possible",
    Reason.RATE_OF_CHANGE: "changed faster than ever on the leak-free reference",
    Reason.FLAT_LINE: "the same value for too long",
    Reason.DUPLICATE_TIME: "one delivery has several values for this time",
    Reason.TIME_INCONSISTENT: "stamped after it was received, or out of order in its delivery",
    Reason.REVERSE_FLOW: "flows against a direction that it never had",
    Reason.COUNTER_ROLLOVER: "the counter began again: it rolled over, or was set back or swapped",
    Reason.UNIT_SUSPECT: "the unit was not declared",
    Reason.CLOCK_DRIFT: "its clock is off against the other sensors",
    Reason.TIMESTAMP_DRIFT: "its time stamps wander against the grid",
    Reason.UNIT_STEP: "all values changed by the ratio of two units",
    Reason.BALANCE: "its meter does not agree with the balance of its zone",
    Reason.SILENT: "no usable reading any more",
}

# Values that models must not see: they say nothing of the water.
BAD = Reason.RANGE | Reason.FLAT_LINE
# Nobody measured them: they neither raise nor clear an alarm.
MADE_UP = Reason.INTERPOLATED | Reason.GAP
# Unusual, and as often true as not: kept for models, told to people.
SUSPECT = (
    Reason.OUTLIER
    | Reason.RATE_OF_CHANGE
    | Reason.DUPLICATE_TIME
    | Reason.TIME_INCONSISTENT
    | Reason.REVERSE_FLOW
    | Reason.COUNTER_ROLLOVER
    | Reason.UNIT_SUSPECT
)
OF_READINGS: tuple[Reason, ...] = tuple(r for r in Reason if r < Reason.CLOCK_DRIFT)
OF_DAYS: tuple[Reason, ...] = tuple(r for r in Reason if r >= Reason.CLOCK_DRIFT)


def name_of(reason: Reason) -> str:
    """Return a reason's name in tables and words, e.g. `flat_line`."""
    return str(reason.name).lower()


def names_of(flags: int) -> str:
    """Return the reasons in a bit mask, separated by blanks."""
    return " ".join(name_of(reason) for reason in Reason if flags & reason)


def legend() -> str:
    """Return all bits of readings with their names, for the catalogue."""
    return ", ".join(f"{int(reason)} {name_of(reason)}" for reason in OF_READINGS)
