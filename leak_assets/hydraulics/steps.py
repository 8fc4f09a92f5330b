"""The simulation room's step: scenario batches, each in a process of its own."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from leak_assets.hydraulics.plan.scenarios import ScenarioPlan, run_batch
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.provenance import Provenance
from leak_assets.system.processes import fan_out
from leak_assets.warehouse import Input, Warehouse, Written

CODE_VERSION = "2"
TABLES = (
    "simulation.scenarios",
    "simulation.telemetry",
    "simulation.leak_truth",
    "simulation.event_truth",
    "simulation.sensor_fault_labels",
)


def write_scenario_batches(
    ctx: StepContext, network: str, batches: Sequence[str], plan: ScenarioPlan
) -> list[Written]:
    """Run batches of the plan and write their scenarios, telemetry and truth.

    A batch is published when it ran as a whole; one that stands there already, made from the
    same plan, model and code, is kept.
    """
    run = partial(_write_batch, ctx.settings, ctx.warehouse.run_id, network, plan)
    written: list[Written] = []
    for number, (batch, partitions) in enumerate(fan_out(run, batches), 1):
        rows = partitions[0].record.rows
        ctx.progress(f"batch {batch}: {rows} scenarios ({number} of {len(batches)})")
        written += partitions
    return written


def _write_batch(
    settings: Settings, run_id: str, network: str, plan: ScenarioPlan, batch: str
) -> list[Written]:
    ctx = StepContext(Warehouse.from_settings(settings, run_id=run_id), settings)
    entry, layout = ctx.network(network), ctx.layout(network)
    partition = {"batch": batch, "network": network}
    digest = hashlib.sha256(json.dumps(asdict(plan), sort_keys=True, default=str).encode())
    inputs = (
        *Provenance.of(entry, layout).inputs(),
        Input("plan", "scenario_plan", batch, digest.hexdigest()),
    )
    standing = [
        kept
        for table in TABLES
        if (kept := ctx.warehouse.up_to_date(table, partition, inputs, CODE_VERSION)) is not None
    ]
    if len(standing) == len(TABLES):
        return standing
    tables = run_batch(entry, layout, batch, plan)
    return [
        ctx.warehouse.write(
            table,
            partition,
            getattr(tables, table.partition(".")[2]),
            inputs=inputs,
            code_version=CODE_VERSION,
        )
        for table in TABLES
    ]


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
