"""Every number of the home's monitor that a user may change, with where it comes from.

Values only; what they mean is in the module that reads them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leak_assets.errors import InputError

Percentile = Literal["p95", "p99"]
OccupancyClass = Literal["home", "away", "vacation", "night"]
CLASSES: tuple[OccupancyClass, ...] = get_args(OccupancyClass)


@dataclass(frozen=True)
class HomeSettings:
    """Settings of one home.

    Parameters
    ----------
    zone
        IANA name of the time zone whose clock its habits follow.
    step_s
        Seconds between two readings (1 to 3600).
    min_flow_l_per_min
        Less is no flow: meters have noise.
    max_flow_l_per_min
        More does not fit through a home's service pipe: such a reading is not believed.
    gap_s
        Measured time without flow that a session may contain.
    missing_s
        Time without readings after which nobody knows whether a session went on.
    stale_s
        Time without readings after which the feed counts as stale.
    counter_rollover_l
        Largest value of a cumulative counter, plus one; None where it never rolls over.
    horizon_days, half_life_days
        Rolling window of learning and the age at which a session counts half.
    min_count
        Sessions that make a bucket ready.
    percentile
        Of the durations, taken for the longest normal one; `p99` alarms later.
    learning_days
        Days with sessions before any alarm: a use of one weekday is known after three weeks.
    night_factor
        On the threshold of duration, where the occupancy is of class night.
    flow_weight, empty_home_risk, people_relief
        Risk per share of flow over its p95, of an empty home, and relief per bin of people
        above one.
    gate_risk, gate_count
        Risk that alarms when that many evaluations in a row have it.
    confirm_by_habit
        Whether an alarm of the bucket's risk also has to hold a flow for longer than this home
        has ever done; without it one session in twenty is beyond its own p95.
    habit_margin, habit_floor_s
        Times the longest holding ever seen, and the least that counts as long.
    vacation_grace_s
        An unmatched session of a vacation may last that long at most.
    prototype_count, prototype_start_min, prototype_tolerance, prototype_max_hot_pct
        What makes sessions of one weekday the same use: how many, minutes of the start, share of
        duration and of flow, and how cold they are.
    prototype_min_s, high_confidence, min_confidence
        Shorter uses are none; what is normal without further question; what is forgotten.
    low_flow_l_per_min, low_flow_s
        A trickle for that long (0.3 US gal/min for five minutes, as common low-flow alarms have).
    refill_count, refill_window_s, refill_tolerance
        Equal refills within a window that make a running toilet.
    continuous_s
        Time in which the flow never rests (24 h, as AMR systems report continuous flow).
    night_use_s
        The same within the night of the local clock (0 to 5 h).
    pause_switch_s
        For how long the switch in Home Assistant pauses alarms; it goes off by itself.
    location_mode
        Overrides the occupancy that is reported, None follows it.
    words
        Words of this home's own for who is there (`party`), each with its class.
    weekday_buckets
        Day types are the seven weekdays instead of weekday and weekend.
    holidays
        Days that count as weekends.
    seasonal
        Learns only from days within the horizon and of the same half-year (April to September).
    learn_from_long_runs
        Whether a session that the engine closed for missing data may form a prototype.
    """

    zone: str = "Europe/Berlin"
    step_s: float = 10.0
    min_flow_l_per_min: float = 0.05
    max_flow_l_per_min: float = 200.0
    gap_s: float = 30.0
    missing_s: float = 600.0
    stale_s: float = 900.0
    counter_rollover_l: float | None = None
    horizon_days: int = 60
    half_life_days: float = 30.0
    min_count: int = 10
    percentile: Percentile = "p95"
    learning_days: int = 21
    night_factor: float = 0.8
    flow_weight: float = 0.25
    empty_home_risk: float = 0.10
    people_relief: float = 0.05
    gate_risk: float = 0.9
    gate_count: int = 3
    confirm_by_habit: bool = True
    habit_margin: float = 1.8
    habit_floor_s: float = 600.0
    vacation_grace_s: float = 120.0
    prototype_count: int = 3
    prototype_start_min: float = 20.0
    prototype_tolerance: float = 0.20
    prototype_max_hot_pct: float = 20.0
    prototype_min_s: float = 120.0
    high_confidence: float = 0.5
    min_confidence: float = 0.1
    low_flow_l_per_min: float = 1.2
    low_flow_s: float = 300.0
    refill_count: int = 4
    refill_window_s: float = 900.0
    refill_tolerance: float = 0.10
    continuous_s: float = 86400.0
    night_use_s: float = 7200.0
    pause_switch_s: float = 4 * 3600.0
    location_mode: OccupancyClass | None = None
    words: Mapping[str, OccupancyClass] = field(default_factory=dict)
    weekday_buckets: bool = False
    holidays: tuple[date, ...] = ()
    seasonal: bool = False
    learn_from_long_runs: bool = False

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise InputError(
                f"zone = {self.zone!r} is no time zone", remedy="Give an IANA name as Europe/Berlin"
            ) from error
        if not 1 <= self.step_s <= 3600:
            raise InputError(
                f"step_s = {self.step_s} cannot be used", remedy="Give 1 to 3600 seconds"
            )
        if self.percentile not in ("p95", "p99"):
            raise InputError(
                f"percentile = {self.percentile!r} is unknown", remedy="Choose p95 or p99"
            )
        for word, kind in self.words.items():
            if kind not in CLASSES:
                raise InputError(
                    f"words: {word!r} is {kind!r}", remedy=f"Give one of {', '.join(CLASSES)}"
                )
        if self.location_mode not in (None, *CLASSES):
            raise InputError(
                f"location_mode = {self.location_mode!r} is unknown",
                remedy="Choose home, away, vacation or night, or leave it out",
            )
        for one in fields(self):
            value = getattr(self, one.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and not 0 <= value < 1e9:
                raise InputError(
                    f"{one.name} = {value} cannot be used", remedy="Give 0 or more, and finite"
                )

    @classmethod
    def of(cls, values: dict[str, Any]) -> "HomeSettings":
        """Return settings of names and values, as a site's file gives them.

        Raises
        ------
        InputError
            A name is unknown or a value cannot be used.
        """
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(
                f"setting {unknown[0]!r} of a home is unknown",
                remedy=f"Choose of {', '.join(sorted(known))}",
            )
        for name, value in values.items():
            _check_type(name, value, getattr(cls, name, None))
        given = dict(values)
        if "words" in given:
            given["words"] = {str(w).strip().lower(): kind for w, kind in given["words"].items()}
        if "holidays" in given:
            given["holidays"] = tuple(_day(day) for day in given["holidays"])
        return cls(**given)

    def as_dict(self) -> dict[str, Any]:
        """Return them as JSON can hold them."""
        return {**asdict(self), "holidays": [day.isoformat() for day in self.holidays]}


def _check_type(name: str, value: Any, default: Any) -> None:
    """Refuse a value that is of another kind than the setting's default."""
    kinds: tuple[type, ...] | None = None
    if isinstance(default, bool):
        kinds, needed = (bool,), "true or false"
    elif name == "counter_rollover_l" or isinstance(default, int | float):
        kinds, needed = (int, float), "a number"
    elif name == "words":
        kinds, needed = (Mapping,), "words, each with its class"
    elif name == "holidays":
        kinds, needed = (list, tuple), "a list of days"
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise InputError(f"{name} = {value!r} cannot be used", remedy=f"Give {needed}")


def _day(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise InputError(
            f"holidays: {value!r} is no day", remedy="Write it as 2026-12-25"
        ) from error
