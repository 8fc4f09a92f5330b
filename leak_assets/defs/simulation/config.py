"""What a run of scenarios can be asked for in Dagster's launchpad."""

import dagster as dg

from leak_assets.hydraulics.scenarios import ScenarioPlan

_DEFAULT = ScenarioPlan(batches=16)


class ScenarioRunConfig(dg.Config):
    """The scenario plan; every batch of it is one town."""

    batches: int = _DEFAULT.batches
    scenarios_per_batch: int = _DEFAULT.scenarios_per_batch
    seed: int = _DEFAULT.seed

    def plan(self) -> ScenarioPlan:
        """Return the plan."""
        return ScenarioPlan(
            batches=self.batches, scenarios_per_batch=self.scenarios_per_batch, seed=self.seed
        )
