"""What happens in a benchmark town over two periods: leaks, repairs, events, sensor faults.

Drawn from a seed alone, before anything is simulated; `towns` carries it out and writes it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from leak_assets.errors import InputError
from leak_assets.hydraulics.plan.events import EventSampler, base_demand_m3_per_h, draw_fault
from leak_assets.hydraulics.plan.leaks import hole_diameter_m
from leak_assets.hydraulics.towns import sensor_faults
from leak_assets.hydraulics.towns.events import Event
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.sensor_faults import SensorFault
from leak_assets.hydraulics.towns.town import Town
from leak_assets.sites import Network, SensorLayout, candidate_pipes

STEP_S = 300
REFERENCE_DAYS = 7
_DAYS_PER_YEAR = 365.0
# BattLeDIM's leaks take 4 to 28 m3/h of L-Town's 177. Those of more than 10 are what its utility
# had repaired, what runs on is smaller: the competition's own split.
_FLOW_SHARE_RUNNING = (0.023, 0.090)
_FLOW_SHARE_REPAIRED = (0.060, 0.160)
# Leaks that run in a year of evaluation, on average; BattLeDIM has 23 on 905 pipes, and towns
# differ (16 to 23 on L-Town). Small networks get enough to have several at once.
_PIPES_PER_LEAK, _LEAST_LEAKS, _MOST_LEAKS = 50, 3, 19.5
_LEAKS_SPREAD = (0.85, 1.18)
# A third of them runs when the year begins; besides, the history has some that were repaired.
_RUNS_ON_SHARE, _HISTORY_REPAIRED_SHARE = 1 / 3, 0.42
# Of BattLeDIM's 19 leaks that begin in its year 7 are repaired within it, the large ones; 14 of
# all 23 grow.
_REPAIRED_SHARE, _INCIPIENT_SHARE = 0.37, 0.6
_REPAIR_DAYS, _GROWTH_DAYS = (10.0, 70.0), (10.0, 90.0)
# A hole as wide as its pipe is no leak; a town's pipe may be 10 % narrower than the model's.
_WIDEST_HOLE = 0.8
_FAULT_HOURS = (6.0, 14 * 24.0)
_MOST_METER_SWAPS = 1


@dataclass(frozen=True)
class TownPlan:
    """The two periods of a benchmark town, and what may happen in them.

    Parameters
    ----------
    first_day
        First day of the history. The first week has no leak, event or fault: a reference.
    history_days, evaluated_days
        Length of the two periods; the second follows on the first.
    event_share, fault_share
        Share of the days on which an event that is no leak, or a sensor fault, begins.
    has_leaks
        False for a town in which every report is a false alarm.
    step_s
        Between two readings.
    """

    first_day: date = date(2018, 1, 1)
    history_days: int = 365
    evaluated_days: int = 365
    event_share: float = 0.05
    fault_share: float = 0.03
    has_leaks: bool = True
    step_s: int = STEP_S

    def __post_init__(self) -> None:
        if self.history_days < 2 * REFERENCE_DAYS:
            raise InputError(
                f"a history of {self.history_days} days",
                remedy=f"Give {2 * REFERENCE_DAYS} days or more: the first week is the reference",
            )
        if self.evaluated_days < REFERENCE_DAYS:
            raise InputError(
                f"an evaluated period of {self.evaluated_days} days",
                remedy=f"Give {REFERENCE_DAYS} days or more",
            )
        for name in ("event_share", "fault_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"{name} = {getattr(self, name):g}", remedy="Give a share of days from 0 to 1"
                )

    @property
    def start_at(self) -> datetime:
        """First step of the history, UTC."""
        return datetime.combine(self.first_day, time(), UTC)

    @property
    def evaluated_at(self) -> datetime:
        """First step of the evaluated period, UTC."""
        return self.start_at + timedelta(days=self.history_days)

    @property
    def end_at(self) -> datetime:
        """Last step, UTC."""
        after = self.evaluated_at + timedelta(days=self.evaluated_days)
        return after - timedelta(seconds=self.step_s)

    @property
    def labels(self) -> tuple[str, str]:
        """What the files of history and evaluation begin with.

        Years as in the official files where each period lies in a year of its own, else first
        days.
        """
        years = (self.start_at.year, self.evaluated_at.year)
        last = (self.evaluated_at - timedelta(seconds=self.step_s)).year, self.end_at.year
        if years == last and years[0] != years[1]:
            return str(years[0]), str(years[1])
        return f"{self.first_day}", f"{self.evaluated_at.date()}"

    def draw(self, network: Network, layout: SensorLayout, seed: int) -> "DrawnTown":
        """Draw the town of a seed."""
        return draw_town(network, layout, self, seed)


@dataclass(frozen=True)
class DrawnTown:
    """A town and all that happens in it.

    Parameters
    ----------
    noise_seed
        Of demand and sensor noise.
    """

    seed: int
    noise_seed: int
    town: Town
    leaks: tuple[Leak, ...]
    events: tuple[Event, ...]
    faults: tuple[SensorFault, ...]

    def repairs(self, plan: TownPlan) -> list[tuple[str, datetime]]:
        """Return pipe and time of what was repaired in the history, by time."""
        found = [
            (leak.element_id, leak.end_at)
            for leak in self.leaks
            if leak.end_at is not None and leak.end_at < plan.evaluated_at
        ]
        return sorted(found, key=lambda repair: repair[1])


def draw_town(network: Network, layout: SensorLayout, plan: TownPlan, seed: int) -> DrawnTown:
    """Draw a town; the same network, layout, plan and seed give the same one.

    Leaks, events and faults have streams of their own: with other shares of events the leaks
    stay.
    """
    town_seed, noise_seed = (
        int(s) for s in np.random.SeedSequence([seed, 0xB1]).generate_state(2).tolist()
    )
    town = Town.draw(network, town_seed)
    return DrawnTown(
        seed,
        noise_seed,
        town,
        draw_leaks(network, town, plan, seed) if plan.has_leaks else (),
        _draw_events(network, layout, town, plan, seed),
        _draw_faults(network, layout, plan, seed),
    )


def draw_leaks(network: Network, town: Town, plan: TownPlan, seed: int) -> tuple[Leak, ...]:
    """Draw the leaks of a town, by start.

    Of those that run in the evaluated period a third comes from the history; of its own more than
    a third is repaired. Each is at a pipe of its own.
    """
    rng = np.random.default_rng([seed, 0xB1, 1])
    model = network.shared_model()
    demand_m3_per_s = base_demand_m3_per_h(model) / 3600
    pipes = [name for name in candidate_pipes(network) if name not in town.closed_pipes]
    a_year = float(np.clip(len(pipes) / _PIPES_PER_LEAK, _LEAST_LEAKS, _MOST_LEAKS))
    running = a_year * plan.evaluated_days / _DAYS_PER_YEAR * rng.uniform(*_LEAKS_SPREAD)
    run_on = max(1, round(_RUNS_ON_SHARE * running))
    evaluated = max(_LEAST_LEAKS, round(running) - run_on)
    reported = _HISTORY_REPAIRED_SHARE * a_year * plan.history_days / _DAYS_PER_YEAR
    before = run_on + max(1, round(reported))
    repaired = round(_REPAIRED_SHARE * evaluated)
    if before + evaluated > len(pipes):
        raise InputError(
            f"{network.name} has {len(pipes)} pipes that can leak, the periods would have"
            f" {before + evaluated} leaks",
            remedy="Choose shorter periods or a larger network",
        )
    chosen = iter(rng.permutation(pipes).tolist())

    def leak(first: datetime, last: datetime, slot: tuple[int, int], *, is_repaired: bool) -> Leak:
        """Draw a leak that starts in one of the equal parts of a period."""
        number, slots = slot
        pipe = str(next(chosen))
        start_at = _on_step(first + (number + float(rng.uniform())) / slots * (last - first))
        left = last - start_at
        end_at = None
        if is_repaired:
            days = timedelta(days=float(rng.uniform(*_REPAIR_DAYS)))
            end_at = _on_step(start_at + min(days, 0.9 * left))
        share = _log_uniform(rng, _FLOW_SHARE_REPAIRED if is_repaired else _FLOW_SHARE_RUNNING)
        hole_m = min(
            hole_diameter_m(share * demand_m3_per_s),
            _WIDEST_HOLE * float(model.get_link(pipe).diameter),
        )
        growth = timedelta(days=float(rng.uniform(*_GROWTH_DAYS)))
        if rng.uniform() < _INCIPIENT_SHARE:
            peak_at = _on_step(start_at + min(growth, 0.9 * ((end_at or last) - start_at)))
            return Leak(pipe, start_at, round(hole_m, 6), "incipient", peak_at, end_at)
        return Leak(pipe, start_at, round(hole_m, 6), end_at=end_at)

    start = plan.start_at + timedelta(days=REFERENCE_DAYS)
    # The last hours of a period are too short for a leak: nobody could find or repair it.
    margin = timedelta(hours=12)
    runs_on = set(rng.permutation(before)[:run_on].tolist())
    is_fixed = set(rng.permutation(evaluated)[:repaired].tolist())
    drawn = [
        leak(start, plan.evaluated_at - margin, (i, before), is_repaired=i not in runs_on)
        for i in range(before)
    ]
    drawn += [
        leak(plan.evaluated_at, plan.end_at - margin, (i, evaluated), is_repaired=i in is_fixed)
        for i in range(evaluated)
    ]
    return tuple(sorted(drawn, key=lambda one: one.start_at))


def _draw_events(
    network: Network, layout: SensorLayout, town: Town, plan: TownPlan, seed: int
) -> tuple[Event, ...]:
    """Draw events, kinds in turn, one on each of a share of the days."""
    rng = np.random.default_rng([seed, 0xB1, 2])
    days = _days(plan, plan.event_share, rng)
    if not days:
        return ()
    sampler = EventSampler(network, layout, town)
    number = int(rng.integers(len(sampler.kinds))) if sampler.kinds else 0
    events: list[Event] = []
    for day in days:
        left_s = round((plan.end_at - day).total_seconds())
        drawn = sampler.draw(number, day, left_s, rng)
        number += 1
        swaps = sum(event.kind == "meter_swap" for event in events)
        # A meter is swapped once in many years.
        if drawn and drawn[0].kind == "meter_swap" and swaps >= _MOST_METER_SWAPS:
            continue
        events += drawn
    return tuple(events)


def _draw_faults(
    network: Network, layout: SensorLayout, plan: TownPlan, seed: int
) -> tuple[SensorFault, ...]:
    """Draw sensor faults, kinds in turn, each of hours to two weeks."""
    rng = np.random.default_rng([seed, 0xB1, 3])
    kinds = rng.permutation(sorted(sensor_faults.KINDS)).tolist()
    demand_m3_per_h = base_demand_m3_per_h(network.shared_model())
    longest_s = _FAULT_HOURS[1] * 3600
    return tuple(
        draw_fault(
            str(kinds[number % len(kinds)]),
            layout,
            demand_m3_per_h,
            day,
            round(min(longest_s, (plan.end_at - day).total_seconds())),
            STEP_S,
            rng,
            hours=_FAULT_HOURS,
        )
        for number, day in enumerate(_days(plan, plan.fault_share, rng))
    )


def _days(plan: TownPlan, share: float, rng: np.random.Generator) -> list[datetime]:
    """Return the midnights of a share of the days after the reference week, each by chance."""
    total = plan.history_days + plan.evaluated_days
    hit = rng.uniform(size=total) < share
    return [plan.start_at + timedelta(days=d) for d in range(REFERENCE_DAYS, total) if hit[d]]


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    low, high = np.log(bounds)
    return float(np.exp(rng.uniform(low, high)))


def _on_step(moment: datetime) -> datetime:
    """Return the step at or before a time."""
    return moment - timedelta(
        seconds=moment.timestamp() % STEP_S,
    )
