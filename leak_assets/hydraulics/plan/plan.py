"""The scenario plan: which town, day, pipe, size and start each scenario has.

A batch is one town and can be planned and run without any other batch. Everything follows from
the seed of the plan.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import numpy as np

from leak_assets.errors import InputError
from leak_assets.hydraulics.towns import sensor_faults
from leak_assets.hydraulics.towns.events import Event
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.sensor_faults import SensorFault
from leak_assets.hydraulics.towns.town import Town, TownBounds
from leak_assets.sites.registry import Network
from leak_assets.sites.sensors import SensorLayout
from leak_assets.sites.tables import candidate_pipes

from .events import EventSampler, base_demand_m3_per_h, draw_fault
from .leaks import leak_range_mm, place_leak, spread_point

_DAY_S = 86400
# Scenarios follow their reference run within a month, as operation follows its calibration: over a
# season the demand of a town moves by more than a leak takes.
_WEEKS = 4
# Tanks start within this share of their range around the initial level, off both ends.
_TANK_LEVEL_RANGE, _TANK_MARGIN = 0.15, 0.05

# Scenarios start within four weeks; a run of ten years is no scenario any more.
LARGEST_DAYS = 3650


@dataclass(frozen=True)
class ScenarioPlan:
    """Size and content of the scenario runs.

    Parameters
    ----------
    batches, scenarios_per_batch
        Towns, and scenarios of each; scenario 0 of a batch is its leak-free reference run.
    start_date
        First day of the reference runs; other scenarios lie in the four weeks from it.
    days, reference_days
        Length of a scenario and of a reference run.
    leak_share, incipient_share
        Share of scenarios with a leak, and of those the share that grows.
    smallest_leak_mm, largest_leak_mm
        Range of diameters, filled evenly in its logarithm. None stands for the hole that takes
        10 or 50 % of the network's mean demand (`plan_leaks`).
    event_share
        Share of the leak-free scenarios with an event that is no leak, kinds in turn.
    fault_share
        Share of all scenarios but the reference with a sensor fault, kinds in turn.
    record_all
        Whether one scenario of batch `b000` keeps every node and link.
    """

    batches: int = 8
    scenarios_per_batch: int = 24
    start_date: date = date(2019, 1, 1)
    days: int = 1
    step_s: int = 300
    reference_days: int = 4
    leak_share: float = 0.7
    incipient_share: float = 0.3
    smallest_leak_mm: float | None = None
    largest_leak_mm: float | None = None
    event_share: float = 0.0
    fault_share: float = 0.0
    seed: int = 1
    record_all: bool = True
    bounds: TownBounds = field(default_factory=TownBounds)

    def __post_init__(self) -> None:
        for name in ("batches", "scenarios_per_batch", "days", "step_s", "reference_days"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"plan: {name} = {getattr(self, name)}", remedy="Use a whole number from 1"
                )
        if self.seed < 0:
            raise InputError(f"plan: seed = {self.seed}", remedy="Use a whole number from 0")
        for name in ("days", "reference_days"):
            if getattr(self, name) > LARGEST_DAYS:
                raise InputError(
                    f"plan: {name} = {getattr(self, name)}", remedy=f"Use up to {LARGEST_DAYS}"
                )
        for name in ("leak_share", "incipient_share", "event_share", "fault_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"plan: {name} = {getattr(self, name)}", remedy="Use a share from 0 to 1"
                )
        small, large = self.smallest_leak_mm, self.largest_leak_mm
        if any(mm is not None and mm <= 0 for mm in (small, large)) or (
            small is not None and large is not None and small > large
        ):
            raise InputError(
                f"plan: leaks from {self.smallest_leak_mm} to {self.largest_leak_mm} mm",
                remedy="Give a positive range of diameters in millimetres",
            )

    def batch_names(self) -> tuple[str, ...]:
        """Return the names of all batches: `b000`, `b001` and so on."""
        return tuple(f"b{i:03d}" for i in range(self.batches))


@dataclass(frozen=True)
class Scenario:
    """One planned scenario."""

    network: str
    batch: str
    scenario_id: str
    start_at: datetime
    duration_s: int
    step_s: int
    seed: int
    town_seed: int
    is_reference: bool
    recorded: Literal["instrumented", "all"]
    leaks: tuple[Leak, ...]
    tank_levels: dict[str, float]
    events: tuple[Event, ...] = ()
    faults: tuple[SensorFault, ...] = ()


def plan_town(network: Network, batch: str, plan: ScenarioPlan) -> Town:
    """Return the town of a batch."""
    return Town.draw(network, _town_seed(batch, plan), plan.bounds)


def plan_batch(
    network: Network,
    layout: SensorLayout,
    batch: str,
    plan: ScenarioPlan,
    town: Town | None = None,
) -> list[Scenario]:
    """Return the scenarios of a batch; the first one is the reference run.

    `town` saves drawing it again: `plan_town` of the same batch and plan.

    Leaks are stratified over pipes, sizes and starts, over all batches together. They may lie
    at any pipe with a length that is open in the model and in the town, instrumented or not.
    Events and faults do not change what is drawn for leaks.

    Raises
    ------
    InputError
        A batch name that is not of the plan, or a network without a pipe that can leak.
    """
    number = _batch_number(batch, plan)
    rng = np.random.default_rng(np.random.SeedSequence([plan.seed, number, 0x5C]))
    town = town or plan_town(network, batch, plan)
    model = network.shared_model()
    pipes = [p for p in candidate_pipes(network) if p not in town.closed_pipes]
    if not pipes:
        raise InputError(
            f"{network.name} has no pipe that can leak",
            remedy="Use a model with open pipes of positive length",
            file=network.inp_path,
        )
    others = plan.scenarios_per_batch - 1
    leaking = round(plan.leak_share * others)
    has_leak = rng.permutation(np.arange(others) < leaking)
    grows = rng.permutation(np.arange(leaking) < round(plan.incipient_share * leaking))
    first_point = number * leaking
    sizes_mm = leak_range_mm(model, plan.smallest_leak_mm, plan.largest_leak_mm)
    offset = np.random.default_rng([plan.seed, 0xB3]).uniform(size=3)

    midnight = datetime.combine(plan.start_date, time(), UTC)
    scenarios = [
        _scenario(
            network,
            batch,
            plan,
            number=0,
            start_at=midnight,
            duration_s=plan.reference_days * _DAY_S,
            rng=rng,
            leaks=(),
            tank_levels={},
        )
    ]
    drawn = 0
    for i in range(others):
        # Each weekday in turn, in a week of the year at random.
        day = (i + number) % 7 + 7 * int(rng.integers(_WEEKS))
        start_at = midnight + timedelta(days=day)
        leaks: tuple[Leak, ...] = ()
        if has_leak[i]:
            leak = place_leak(
                model,
                pipes,
                spread_point(first_point + drawn, offset),
                sizes_mm,
                start_at=start_at,
                steps=plan.days * _DAY_S // plan.step_s,
                step_s=plan.step_s,
                grows=bool(grows[drawn]),
                rng=rng,
            )
            leaks = (leak,)
            drawn += 1
        scenarios.append(
            _scenario(
                network,
                batch,
                plan,
                number=i + 1,
                start_at=start_at,
                duration_s=plan.days * _DAY_S,
                rng=rng,
                leaks=leaks,
                tank_levels=_tank_levels(model, rng),
            )
        )
    scenarios = _with_events(network, layout, town, plan, number, scenarios)
    return _with_faults(layout, base_demand_m3_per_h(model), plan, number, scenarios)


def _with_events(
    network: Network,
    layout: SensorLayout,
    town: Town,
    plan: ScenarioPlan,
    batch_number: int,
    scenarios: list[Scenario],
) -> list[Scenario]:
    """Give some of the leak-free scenarios an event."""
    free = [i for i, s in enumerate(scenarios) if not s.leaks and not s.is_reference]
    count = round(plan.event_share * len(free))
    if not count:
        return scenarios
    rng = np.random.default_rng([plan.seed, batch_number, 0xE7])
    sampler = EventSampler(network, layout, town)
    scenarios = list(scenarios)
    for j, i in enumerate(sorted(rng.permutation(free)[:count].tolist())):
        scenario = scenarios[i]
        events = sampler.draw(batch_number * count + j, scenario.start_at, scenario.duration_s, rng)
        scenarios[i] = replace(scenario, events=events)
    return scenarios


def _with_faults(
    layout: SensorLayout,
    demand_m3_per_h: float,
    plan: ScenarioPlan,
    batch_number: int,
    scenarios: list[Scenario],
) -> list[Scenario]:
    """Give some of the scenarios a sensor fault; the reference run has none."""
    others = [i for i, s in enumerate(scenarios) if not s.is_reference]
    count = round(plan.fault_share * len(others))
    rng = np.random.default_rng([plan.seed, batch_number, 0xFA])
    kinds = sorted(sensor_faults.KINDS)
    scenarios = list(scenarios)
    for j, i in enumerate(sorted(rng.permutation(others)[:count].tolist())):
        scenario = scenarios[i]
        fault = draw_fault(
            kinds[(batch_number * count + j) % len(kinds)],
            layout,
            demand_m3_per_h,
            scenario.start_at,
            scenario.duration_s,
            scenario.step_s,
            rng,
        )
        scenarios[i] = replace(scenario, faults=(fault,))
    return scenarios


def _scenario(
    network: Network,
    batch: str,
    plan: ScenarioPlan,
    *,
    number: int,
    start_at: datetime,
    duration_s: int,
    rng: np.random.Generator,
    leaks: tuple[Leak, ...],
    tank_levels: dict[str, float],
) -> Scenario:
    keeps_all = (
        plan.record_all and batch == "b000" and number == min(1, plan.scenarios_per_batch - 1)
    )
    return Scenario(
        network=network.name,
        batch=batch,
        scenario_id=f"{network.name}/{batch}/s{number:03d}",
        start_at=start_at,
        duration_s=duration_s,
        step_s=plan.step_s,
        seed=int(rng.integers(2**31)),
        town_seed=_town_seed(batch, plan),
        is_reference=number == 0,
        recorded="all" if keeps_all else "instrumented",
        leaks=leaks,
        tank_levels=tank_levels,
    )


def _tank_levels(model: Any, rng: np.random.Generator) -> dict[str, float]:
    """Draw levels around the initial ones, so that runs do not all begin in the same state."""
    levels = {}
    for name, tank in model.tanks():
        span = tank.max_level - tank.min_level
        drawn = tank.init_level + _TANK_LEVEL_RANGE * span * rng.uniform(-1, 1)
        margin = _TANK_MARGIN * span
        levels[name] = float(np.clip(drawn, tank.min_level + margin, tank.max_level - margin))
    return levels


def _batch_number(batch: str, plan: ScenarioPlan) -> int:
    if not re.fullmatch(r"b\d{3,}", batch) or int(batch[1:]) >= plan.batches:
        raise InputError(
            f"the plan has no batch {batch!r}",
            remedy=f"Batches go from b000 to b{plan.batches - 1:03d}",
        )
    return int(batch[1:])


def _town_seed(batch: str, plan: ScenarioPlan) -> int:
    number = _batch_number(batch, plan)
    return int(np.random.SeedSequence([plan.seed, number, 0x70]).generate_state(1)[0])
