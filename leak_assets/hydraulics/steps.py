"""The simulation room's step: scenario batches, each in a process of its own."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Frames, Given, Partition, Step
from leak_assets.pipeline.work import Work
from leak_assets.warehouse import Input

from .plan.scenarios import ScenarioPlan, run_batch

TABLES = (
    "simulation.scenarios",
    "simulation.telemetry",
    "simulation.leak_truth",
    "simulation.event_truth",
    "simulation.sensor_fault_labels",
)


def scenario_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield scenarios, telemetry and truth of batches of the plan."""
    site, plan = work.network, _plan_of(work)
    for partition in partitions:
        tables = run_batch(site.network, site.layout, partition["batch"], plan)
        yield partition, {table: getattr(tables, table.partition(".")[2]) for table in TABLES}


def batch_partitions(batches: Sequence[str], site: str) -> list[Partition]:
    """Return the partitions of scenario batches of a site."""
    return [{"batch": batch, "network": site} for batch in batches]


def clear_scenarios(ctx: StepContext, network: str) -> int:
    """Remove all scenario runs of a network; return the number of partitions."""
    return sum(ctx.warehouse.remove(table, network=network) for table in TABLES)


def dry_leaks(ctx: StepContext, network: str, batches: Sequence[str]) -> list[str]:
    """Return the leaks of batches that never had any flow, as `scenario/leak pipe`."""
    dry = []
    for batch in batches:
        truth = ctx.warehouse.require(
            "simulation.leak_truth",
            {"batch": batch, "network": network},
            remedy=f"Materialize simulation/leak_truth of {batch}",
        )
        for row in truth.filter(truth["max_flow_m3_per_h"] <= 0).iter_rows(named=True):
            dry.append(f"{row['scenario_id']}/{row['leak_id']} {row['link_id']}")
    return dry


def _plan_of(work: Work) -> ScenarioPlan:
    if not isinstance(work.plan, ScenarioPlan):
        raise TypeError(f"step {work.step.name} needs a ScenarioPlan, not {work.plan!r}")
    return work.plan


def _plan(work: Work) -> tuple[Input, ...]:
    text = json.dumps(asdict(_plan_of(work)), sort_keys=True, default=str)
    return (Input("plan", "scenario_plan", "", hashlib.sha256(text.encode()).hexdigest()),)


SCENARIO_STEP = Step(
    name="scenario_runs",
    partition="batch",
    writes=TABLES,
    reads=(),
    given=(NETWORK, Given("plan", _plan)),
    compute=scenario_frames,
    in_processes=True,
    description="Simulated towns with leaks that are known, one town per batch.",
)
