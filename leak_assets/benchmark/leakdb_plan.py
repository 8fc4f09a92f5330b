"""What happens in a LeakDB-like scenario: its town, and none to two leaks that end.

Drawn from a seed alone with LeakDB's recipe on the project's engine; nothing is simulated here.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from math import gcd, sqrt

import numpy as np

from leak_assets.errors import InputError
from leak_assets.hydraulics.plan.events import base_demand_m3_per_h
from leak_assets.hydraulics.towns.leaks import KINDS, Leak
from leak_assets.hydraulics.towns.town import NO_ERRORS, DemandNoise, Town, TownBounds
from leak_assets.hydraulics.twin.nominal import CONSTANT, demand_shares
from leak_assets.sites import Network, SensorLayout, candidate_pipes

from .town_plan import REFERENCE_DAYS, STEP_S, DrawnTown, TownPlan

_HALF_HOUR_S = 1800
# LeakDB's generator: each kind of parameter is off by up to one of these, holes are 2 to 20 cm.
_UNCERTAINTIES = (0.0, 0.05, 0.10, 0.15, 0.20)
_HOLE_M = (0.02, 0.2)
_TWO_LEAKS_SHARE = 1 / 3
_HANOI_M3_PER_H = 19_940.0
_WIDEST_HOLE = 0.8
# Its demands scatter by 5 % a half-hour and junction (here as of 5 minutes), each junction has a
# course of its own, and the year a wave.
_NOISE = DemandNoise(
    common_cv=0.0, node_cv=0.05 * sqrt(_HALF_HOUR_S / STEP_S), slow_cv=0.05, day_cv=0.0
)
_SEASON = 0.15
# Hanoi's model has no time pattern. LeakDB's typical day, in round figures: low before dawn, high
# at ten, a second wave in the evening (Fourier coefficients of its logarithm).
_DAY = ((-0.3, -0.2), (0.0, -0.25), (0.0, 0.0))


@dataclass(frozen=True)
class LeakdbPlan(TownPlan):
    """The two periods of a LeakDB-like scenario; all leaks are in the second.

    LeakDB's year has no leak-free part. Methods here learn from one, so two weeks come before.
    """

    @classmethod
    def of(cls, network: Network, *, evaluated_days: int) -> "LeakdbPlan":
        """Return the plan for a network, with the longest step up to half an hour it can have."""
        model = network.shared_model()
        steps_s = (
            int(model.options.time.pattern_timestep)
            for _, pattern in model.patterns()
            if len(pattern.multipliers) > 1
        )
        return cls(
            history_days=2 * REFERENCE_DAYS,
            evaluated_days=evaluated_days,
            event_share=0.0,
            fault_share=0.0,
            step_s=gcd(_HALF_HOUR_S, *steps_s),
        )

    def draw(self, network: Network, layout: SensorLayout, seed: int) -> DrawnTown:
        """Draw the scenario of a seed; the same network, plan and seed give the same one.

        Places are pipes' middles, where LeakDB has nodes: what reports and euro are judged by.
        Elsewhere than in Hanoi holes are as large against the network's demand as there.
        """
        town_seed, noise_seed = (
            int(s) for s in np.random.SeedSequence([seed, 0xDB]).generate_state(2).tolist()
        )
        rng = np.random.default_rng([seed, 0xDB, 1])
        town = _draw_town(network, town_seed, rng)
        leaks = _draw_leaks(network, self, rng) if self.has_leaks else ()
        return DrawnTown(seed, noise_seed, town, leaks, (), ())


def _draw_town(network: Network, town_seed: int, rng: np.random.Generator) -> Town:
    length, diameter, roughness, base_demand = rng.choice(_UNCERTAINTIES, 4).tolist()
    bounds = TownBounds(
        roughness=roughness,
        diameter=diameter,
        length=length,
        base_demand=base_demand,
        season=_SEASON,
        prv_offset_m=0.0,
        closed_valves=0,
        noise=_NOISE,
        sensors=NO_ERRORS,
    )
    town = Town.draw(network, town_seed, bounds)
    model = network.shared_model()
    if set(demand_shares(model, model.junction_name_list)) != {CONSTANT}:
        return town
    # A demand without a pattern is what the network was designed for: the day's peak.
    angle = 2 * np.pi * np.arange(48) / 48
    waves = sum(
        c * np.cos(n * angle) + s * np.sin(n * angle) for n, (c, s) in enumerate(_DAY, start=1)
    )
    most = float(np.exp(waves).max())
    return replace(
        town,
        pattern_shape={**town.pattern_shape, CONSTANT: _DAY},
        base_demand={name: factor / most for name, factor in town.base_demand.items()},
    )


def _draw_leaks(network: Network, plan: LeakdbPlan, rng: np.random.Generator) -> tuple[Leak, ...]:
    """Draw one or two leaks by start: any time, any end after it, abrupt or growing."""
    model = network.shared_model()
    scale = sqrt(base_demand_m3_per_h(model) / _HANOI_M3_PER_H)
    count = 1 + int(rng.uniform() < _TWO_LEAKS_SHARE)
    pipes = candidate_pipes(network)
    if len(pipes) < count:
        raise InputError(
            f"{network.name} has {len(pipes)} pipes that can leak",
            remedy="Choose a network with at least two",
        )
    step = timedelta(seconds=_HALF_HOUR_S)
    steps = timedelta(days=plan.evaluated_days) // step
    leaks = []
    for pipe in rng.permutation(pipes)[:count].tolist():
        start = int(rng.integers(1, steps - 2))
        end = int(rng.integers(start + 2, steps))
        peak = int(rng.integers(start + 1, end))
        kind = KINDS[int(rng.integers(len(KINDS)))]
        widest_m = _WIDEST_HOLE * float(model.get_link(pipe).diameter)
        leaks.append(
            Leak(
                str(pipe),
                plan.evaluated_at + start * step,
                round(min(scale * float(rng.uniform(*_HOLE_M)), widest_m), 6),
                kind,
                plan.evaluated_at + peak * step if kind == "incipient" else None,
                plan.evaluated_at + end * step,
            )
        )
    return tuple(sorted(leaks, key=lambda leak: leak.start_at))
