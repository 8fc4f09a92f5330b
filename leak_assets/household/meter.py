"""From what a meter sends to measured time: flow or a counter, at any cadence, with its faults.

A reading says what flowed since the one before. What cannot be believed is handed back with its
reason and counts as time without readings.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from .context import is_known_occupancy
from .settings import HomeSettings

Measured = Literal["flow", "volume"]
# Readings later than the clock by more are of tomorrow, not of a clock that is fast.
FUTURE_S = 300.0
# A reading may come a little late and still stand for all the time since the one before.
LATE_SHARE = 1.5
MOST_PEOPLE = 100
_SECONDS_PER_MIN = 60.0

PROBLEMS = {
    "not_a_number": "the value is no finite number",
    "negative_flow": "flow runs backwards",
    "implausible_flow": "more flow than a service pipe carries, or a counter that jumped",
    "counter_reset": "the counter fell: it was reset or replaced, counting goes on from here",
    "out_of_order": "not later than the reading before",
    "two_values": "another value came for the same time: a correction, or two homes with one name",
    "from_the_future": "later than the clock of the one who received it",
    "first_reading": "a counter's first value says nothing of the time before",
    "unknown_occupancy": "nobody knows this word for who is at home; taken as home",
    "people_out_of_range": "a number of people below 0 or above 100; the one before is kept",
}


@dataclass(frozen=True)
class Reading:
    """A reading as it came.

    Parameters
    ----------
    at_s
        Device clock, seconds since 1970 (UTC): the end of the time that it stands for.
    value
        L/min where `measured` is `flow`, L of a counter where it is `volume`.
    hot_l_per_min
        Flow of hot water, None where it is not metered.
    occupancy, people
        Who is at home, None where nothing new is known.
    """

    at_s: float
    value: float
    measured: Measured = "flow"
    hot_l_per_min: float | None = None
    occupancy: str | None = None
    people: int | None = None


@dataclass(frozen=True)
class Step:
    """Measured time: mean flow from `start_s` to `end_s` and who was at home."""

    start_s: float
    end_s: float
    flow_l_per_min: float
    hot_l_per_min: float | None = None
    occupancy: str = "home"
    people: int = 1

    @property
    def seconds(self) -> float:
        """Length, s."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Meter:
    """What the next reading is compared with."""

    last_s: float | None = None
    counter_l: float | None = None
    counter_s: float | None = None
    occupancy: str = "home"
    people: int = 1


def take(
    meter: Meter, reading: Reading, settings: HomeSettings, *, now_s: float | None = None
) -> tuple[Meter, Step | None, tuple[str, ...]]:
    """Return the meter after a reading, the time that it measured and what is wrong with it.

    Parameters
    ----------
    now_s
        Clock of the one who received it; None leaves the future unchecked.

    Returns
    -------
    tuple
        The step is None where nothing was measured. Words of `PROBLEMS`; one of occupancy or
        people leaves the flow usable.
    """
    if not (isfinite(reading.at_s) and isfinite(reading.value)):
        return meter, None, ("not_a_number",)
    if now_s is not None and reading.at_s > now_s + FUTURE_S:
        return meter, None, ("from_the_future",)
    if meter.last_s is not None and reading.at_s <= meter.last_s:
        return meter, None, ("out_of_order",)
    occupancy, people, problems = _who(meter, reading, settings)
    since_s = None if meter.last_s is None else reading.at_s - meter.last_s
    counter = reading.value if reading.measured == "volume" else meter.counter_l
    counter_s = reading.at_s if reading.measured == "volume" else meter.counter_s
    after = Meter(reading.at_s, counter, counter_s, occupancy, people)
    if reading.measured == "volume":
        flow, since_s, problem = _counted(meter, reading, settings)
    else:
        flow, problem = reading.value, None
    if problem is None and flow < 0:
        problem = "negative_flow"
    if problem is None and flow > settings.max_flow_l_per_min:
        problem = "implausible_flow"
    if problem is not None:
        return after, None, (problem, *problems)
    # After a pause of the feed a flow stands for one step only; a counter missed nothing, but a
    # long time's mean says nothing of when, so only short pauses are bridged by it.
    whole = since_s is not None and since_s <= LATE_SHARE * settings.step_s
    covered_s = since_s if whole and since_s is not None else settings.step_s
    if not whole and reading.measured == "volume" and since_s is not None:
        covered_s = since_s
    hot = reading.hot_l_per_min
    if hot is not None and not (isfinite(hot) and hot >= 0):
        hot = None
    step = Step(
        reading.at_s - covered_s,
        reading.at_s,
        flow,
        None if hot is None else min(hot, flow),
        occupancy,
        people,
    )
    return after, step, problems


def _who(
    meter: Meter, reading: Reading, settings: HomeSettings
) -> tuple[str, int, tuple[str, ...]]:
    problems = []
    occupancy = meter.occupancy if reading.occupancy is None else reading.occupancy
    if not is_known_occupancy(occupancy, settings):
        problems.append("unknown_occupancy")
        occupancy = "unknown"
    people = meter.people if reading.people is None else reading.people
    if not 0 <= people <= MOST_PEOPLE:
        problems.append("people_out_of_range")
        people = meter.people
    return occupancy, people, tuple(problems)


def _counted(
    meter: Meter, reading: Reading, settings: HomeSettings
) -> tuple[float, float | None, str | None]:
    """Return mean flow since the counter's last value, the seconds since, and a problem."""
    if meter.counter_l is None or meter.counter_s is None:
        return 0.0, None, "first_reading"
    since_s = reading.at_s - meter.counter_s
    most_l = settings.max_flow_l_per_min * since_s / _SECONDS_PER_MIN
    drawn_l = reading.value - meter.counter_l
    if drawn_l < 0 and settings.counter_rollover_l is not None:
        rolled_l = drawn_l + settings.counter_rollover_l
        drawn_l = rolled_l if 0 <= rolled_l <= most_l else drawn_l
    if drawn_l < 0:
        return 0.0, since_s, "counter_reset"
    return drawn_l / since_s * _SECONDS_PER_MIN, since_s, None
