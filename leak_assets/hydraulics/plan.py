"""The scenario plan: which town, day, pipe, size and start each scenario has.

A batch is one town and can be planned and run without any other batch. Everything follows from
the seed of the plan.
"""

import math
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

import numpy as np

from leak_assets.errors import InputError
from leak_assets.networks.layout import SensorLayout
from leak_assets.networks.registry import Network
from leak_assets.networks.tables import candidate_pipes

from . import sensor_faults
from .events import Event
from .leaks import Leak
from .plan_events import EventSampler, draw_fault, mean_demand_m3_per_h
from .sensor_faults import SensorFault
from .town import Town, TownBounds

# Steps of the R3 sequence (Roberts 2018): points that fill pipe × size × start evenly, however
# many there are. The base is the positive root of x⁴ = x + 1.
_R3_BASE = 1.2207440846057596
_DAY_S = 86400
# Leaks start within these parts of the run, so that windows without leak come before.
_START_FROM, _START_TO = 1 / 6, 1 / 2
# Scenarios follow their reference run within a month, as operation follows its calibration: over a
# season the demand of a town moves by more than a leak takes.
_WEEKS = 4
# Leaks against the network's mean demand: below, three hours do not show them among the noise of
# demand; above, nobody needs a detector.
SMALLEST_LEAK_SHARE, LARGEST_LEAK_SHARE = 0.10, 0.50
TYPICAL_PRESSURE_M = 45.0
# Tanks start within this share of their range around the initial level, off both ends.
_TANK_LEVEL_RANGE, _TANK_MARGIN = 0.15, 0.05


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
        `SMALLEST_LEAK_SHARE` or `LARGEST_LEAK_SHARE` of the network's mean demand.
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


def leak_range_mm(model: Any, plan: ScenarioPlan) -> tuple[float, float]:
    """Return the smallest and largest leak diameter of a plan for a network.

    What a leak is to a network goes by its flow against the demand: 12 mm are much in a town of
    170 m3/h and nothing in one of 20,000 m3/h. Torricelli at `TYPICAL_PRESSURE_M`.
    """
    demand_m3_per_s = mean_demand_m3_per_h(model) / 3600
    jet_m_per_s = 0.75 * math.sqrt(2 * 9.81 * TYPICAL_PRESSURE_M)

    def hole_mm(share: float) -> float:
        return 1000 * math.sqrt(4 * share * demand_m3_per_s / jet_m_per_s / math.pi)

    return (
        plan.smallest_leak_mm or hole_mm(SMALLEST_LEAK_SHARE),
        plan.largest_leak_mm or hole_mm(LARGEST_LEAK_SHARE),
    )


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
    sizes_mm = leak_range_mm(model, plan)
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
            point = _r3(first_point + drawn, offset)
            grow = bool(grows[drawn])
            leaks = (
                _leak(model, pipes, point, plan, sizes_mm, start_at=start_at, grows=grow, rng=rng),
            )
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
    return _with_faults(layout, mean_demand_m3_per_h(model), plan, number, scenarios)


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


def _leak(
    model: Any,
    pipes: list[str],
    point: tuple[float, float, float],
    plan: ScenarioPlan,
    sizes_mm: tuple[float, float],
    *,
    start_at: datetime,
    grows: bool,
    rng: np.random.Generator,
) -> Leak:
    """Turn a point of the unit cube into a leak: pipe, diameter, start."""
    pipe = pipes[int(point[0] * len(pipes))]
    widest = float(model.get_link(pipe).diameter) * 1000
    small, large = sizes_mm
    # A town's pipe may be narrower than the model's; a hole as wide as the pipe is no leak.
    diameter_mm = min(small * (large / small) ** point[1], 0.8 * widest)
    steps = plan.days * _DAY_S // plan.step_s
    first = round((_START_FROM + (_START_TO - _START_FROM) * point[2]) * steps)
    peak = first + round(float(rng.uniform(0.2, 0.9)) * (steps - first)) if grows else first
    step = timedelta(seconds=plan.step_s)
    return Leak(
        link_id=pipe,
        start_at=start_at + first * step,
        diameter_m=round(diameter_mm / 1000, 6),
        kind="incipient" if grows else "abrupt",
        peak_at=start_at + peak * step,
    )


def _r3(index: int, offset: Any) -> tuple[float, float, float]:
    steps = (offset[k] + (index + 1) / _R3_BASE ** (k + 1) for k in range(3))
    x, y, z = (float(s % 1.0) for s in steps)
    return x, y, z


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
