"""What runs of this room can be asked for in Dagster's launchpad."""

import dagster as dg

from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
from leak_assets.hydraulics.signatures.placement_steps import PlacementPlan

_DEFAULT = ScenarioPlan(batches=16)


class ScenarioRunConfig(dg.Config):
    """The scenario plan; every batch of it is one town. Leak sizes: None is from the network."""

    batches: int = _DEFAULT.batches
    scenarios_per_batch: int = _DEFAULT.scenarios_per_batch
    smallest_leak_mm: float | None = _DEFAULT.smallest_leak_mm
    largest_leak_mm: float | None = _DEFAULT.largest_leak_mm
    event_share: float = _DEFAULT.event_share
    fault_share: float = _DEFAULT.fault_share
    seed: int = _DEFAULT.seed

    def plan(self) -> ScenarioPlan:
        """Return the plan."""
        return ScenarioPlan(
            batches=self.batches,
            scenarios_per_batch=self.scenarios_per_batch,
            smallest_leak_mm=self.smallest_leak_mm,
            largest_leak_mm=self.largest_leak_mm,
            event_share=self.event_share,
            fault_share=self.fault_share,
            seed=self.seed,
        )


class SensorPlacementConfig(dg.Config):
    """How many pressure sensors, in which noise (metres; None: from the network)."""

    sensors: int = PlacementPlan.sensors
    noise_m: float | None = PlacementPlan.noise_m
    seed: int = PlacementPlan.seed

    def plan(self) -> PlacementPlan:
        """Return the plan."""
        return PlacementPlan(self.sensors, self.noise_m, self.seed)
