"""The graph, stated once: all steps, in an order that follows from what they read and write.

Dagster's assets, the runs without a daemon and what is stale come from here.
"""

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

from leak_assets.detection.steps import HYPOTHESES_STEP, SCORES_STEP
from leak_assets.detection.windows.shadow import SHADOW_STEP
from leak_assets.features.steps import (
    CALIBRATIONS_STEP,
    CHANNELS_STEP,
    RESIDUALS_STEP,
    WINDOWS_STEP,
)
from leak_assets.features.training_readings import READINGS_STEP as TRAINING_READINGS_STEP
from leak_assets.features.training_steps import TRAINING_STEP
from leak_assets.household.meter_steps import METERS_STEP
from leak_assets.household.steps import HOUSEHOLD_DAY_STEP, HOUSEHOLD_READINGS_STEP
from leak_assets.hydraulics.signatures.placement_steps import PLACEMENT_STEP
from leak_assets.hydraulics.signatures.steps import SIGNATURES_STEP
from leak_assets.hydraulics.steps import SCENARIO_STEP
from leak_assets.hydraulics.twin.zone_steps import ZONES_STEP
from leak_assets.incidents.data_incidents import DATA_INCIDENTS_STEP
from leak_assets.incidents.steps import INCIDENTS_STEP
from leak_assets.models.drift_steps import DRIFT_STEP
from leak_assets.models.frozen import FROZEN_STEP
from leak_assets.models.judged import JUDGED_STEP
from leak_assets.models.steps import (
    EVALUATIONS_STEP,
    PACKAGES_STEP,
    REGISTRY_STEP,
    TRAINING_RUNS_STEP,
)
from leak_assets.pipeline.network_step import NETWORK_STEP
from leak_assets.pipeline.step import Step
from leak_assets.plant.steps import PLANT_ANOMALIES_STEP, PLANT_READINGS_STEP
from leak_assets.quality.steps import SENSOR_DAYS_STEP
from leak_assets.summaries.plant_steps import PLANT_SUMMARIES_STEP
from leak_assets.summaries.steps import SUMMARIES_STEP
from leak_assets.telemetry.steps import RAW_STEP, READINGS_STEP
from leak_assets.water.steps import BALANCE_STEP


class Graph:
    """Steps by table, in order.

    Parameters
    ----------
    steps
        In any order.

    Raises
    ------
    ValueError
        Two steps have one name or write one table, a step reads a table that nobody writes, or
        steps read from each other in a circle.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        by_name: dict[str, Step] = {}
        for step in steps:
            if step.name in by_name:
                raise ValueError(f"two steps are named {step.name}")
            by_name[step.name] = step
        self.writer: dict[str, Step] = {}
        for step in by_name.values():
            for table in step.writes:
                if table in self.writer:
                    other = self.writer[table].name
                    raise ValueError(f"{table} is written by {other} and by {step.name}")
                self.writer[table] = step
        before: dict[str, set[str]] = {}
        for step in by_name.values():
            if unknown := [t for t in step.upstream_tables if t not in self.writer]:
                raise ValueError(f"step {step.name} reads {', '.join(unknown)}: nobody writes it")
            sources = {self.writer[table].name for table in step.upstream_tables}
            before[step.name] = sources - {step.name}
        try:
            order = list(TopologicalSorter(before).static_order())
        except CycleError as error:
            raise ValueError(f"steps read from each other: {' <- '.join(error.args[1])}") from error
        self.steps: tuple[Step, ...] = tuple(by_name[name] for name in order)
        self._before = before

    def step(self, name: str) -> Step:
        """Return the step of a name."""
        return next(step for step in self.steps if step.name == name)

    def by_day(self) -> tuple[Step, ...]:
        """Return the steps of a day, in order."""
        return tuple(step for step in self.steps if step.partition == "day")

    def upstream(self, names: Sequence[str]) -> tuple[Step, ...]:
        """Return some steps with all that they follow from, in order."""
        wanted: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in wanted:
                wanted.add(name)
                waiting.extend(self._before[name])
        return tuple(step for step in self.steps if step.name in wanted)


GRAPH = Graph(
    (
        NETWORK_STEP,
        ZONES_STEP,
        SCENARIO_STEP,
        SIGNATURES_STEP,
        PLACEMENT_STEP,
        TRAINING_READINGS_STEP,
        TRAINING_STEP,
        JUDGED_STEP,
        FROZEN_STEP,
        TRAINING_RUNS_STEP,
        EVALUATIONS_STEP,
        PACKAGES_STEP,
        REGISTRY_STEP,
        RAW_STEP,
        READINGS_STEP,
        SENSOR_DAYS_STEP,
        BALANCE_STEP,
        PLANT_READINGS_STEP,
        PLANT_ANOMALIES_STEP,
        PLANT_SUMMARIES_STEP,
        HOUSEHOLD_READINGS_STEP,
        HOUSEHOLD_DAY_STEP,
        METERS_STEP,
        CALIBRATIONS_STEP,
        RESIDUALS_STEP,
        CHANNELS_STEP,
        WINDOWS_STEP,
        SCORES_STEP,
        SHADOW_STEP,
        DRIFT_STEP,
        HYPOTHESES_STEP,
        INCIDENTS_STEP,
        DATA_INCIDENTS_STEP,
        SUMMARIES_STEP,
    )
)
