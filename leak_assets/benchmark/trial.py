"""Which towns a benchmark judges: seeds, kinds of town, and the plan of each.

What happens in a town is its plan's; judging is `trials`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .leakdb_plan import LeakdbPlan
from .town_plan import TownPlan

VARIANTS = ("plain", "faults", "events")
LEAKDB = "leakdb"
KINDS = (*VARIANTS, LEAKDB)


@dataclass(frozen=True)
class Trial:
    """A town to be judged: its seed, and which of `KINDS` of it."""

    seed: int
    variant: str
    plan: TownPlan

    @property
    def name(self) -> str:
        """Name in tables."""
        leaks = "" if self.plan.has_leaks else " clean"
        return f"{self.seed}{leaks}" + ("" if self.variant == VARIANTS[0] else f" {self.variant}")


def trials(plan: TownPlan, seeds: Sequence[int], clean_seeds: Sequence[int]) -> list[Trial]:
    """Return every town plain, with sensor faults and with events; clean ones have no leak."""
    shares = {"plain": (0.0, 0.0), "faults": (0.0, plan.fault_share)}
    shares["events"] = (plan.event_share, 0.0)
    out = []
    for seed, has_leaks in [*((s, True) for s in seeds), *((s, False) for s in clean_seeds)]:
        for variant, (events, faults) in shares.items():
            own = replace(plan, event_share=events, fault_share=faults, has_leaks=has_leaks)
            out.append(Trial(seed, variant, own))
    return out


def leakdb_trials(
    plan: LeakdbPlan, seeds: Sequence[int], clean_seeds: Sequence[int]
) -> list[Trial]:
    """Return LeakDB-like scenarios; clean ones have no leak."""
    leaky = [Trial(seed, LEAKDB, plan) for seed in seeds]
    return leaky + [Trial(seed, LEAKDB, replace(plan, has_leaks=False)) for seed in clean_seeds]
