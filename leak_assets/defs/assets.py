"""All assets, made from the graph: one operation per step, one asset per table.

Dependencies, partition mappings and code versions are those that the steps declare; nothing
about a table is said here.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg

from leak_assets.defs.hydraulics.config import ScenarioRunConfig, SensorPlacementConfig
from leak_assets.defs.made_days import make_days
from leak_assets.defs.partitions import BACKFILL, PARTITIONS, mapping_of, partitions_by_site
from leak_assets.defs.publish import publish
from leak_assets.defs.resources import Platform
from leak_assets.defs.shown import SHOWN
from leak_assets.pipeline.runner import run_step
from leak_assets.pipeline.step import Read, Step
from leak_assets.runs.graph import Graph
from leak_assets.warehouse import Written

# Steps that take a plan, and how it can be asked for in Dagster's launchpad.
PLANS: Mapping[str, type[ScenarioRunConfig] | type[SensorPlacementConfig]] = {
    "scenario_runs": ScenarioRunConfig,
    "sensor_placement": SensorPlacementConfig,
}


def build_assets(
    graph: Graph, progress: Callable[[str], None] | None = None
) -> list[dg.AssetsDefinition]:
    """Return the assets of all steps.

    Parameters
    ----------
    progress
        Gets each line of progress of runs in this process; by default the run's log does.
    """
    urgent = _urgency(graph)
    return [_asset(step, progress, urgent[step.name]) for step in graph.steps]


def _urgency(graph: Graph) -> dict[str, int]:
    """Return Dagster's priority of each step among those that could go next in a run.

    Scores first, then incidents: what people look at beside them can wait half a second.
    """
    urgency = dict.fromkeys((step.name for step in graph.steps), 0)
    for number, name in enumerate(("incidents", "window_scores"), 1):
        if name in urgency:
            urgency |= {step.name: number for step in graph.upstream([name])}
    return urgency


def _asset(step: Step, progress: Callable[[str], None] | None, urgency: int) -> dg.AssetsDefinition:
    specs = [
        dg.AssetSpec(
            table.split("."),
            deps=_deps(step, table),
            partitions_def=PARTITIONS[step.partition],
            code_version=step.code_version,
        )
        for table in step.writes
    ]

    def carry_out(
        context: dg.AssetExecutionContext, platform: Platform, plan: object
    ) -> Iterator[dg.MaterializeResult]:
        ctx = platform.of(context, progress)
        written: list[Written] = []
        metadata: dict[str, Any] = {}
        plots: dict[str, bytes] = {}
        for name, asked in partitions_by_site(context, step.partition).items():
            site = ctx.site(name)
            if step.partition == "day" and step.compute is not None:
                made, partitions = make_days(context, step, ctx, site, asked)
            else:
                made, partitions = run_step(step, ctx, site, asked, plan=plan), asked
            written += made
            if step.name in SHOWN and site.kind in step.kinds:
                entries, pictures = SHOWN[step.name](ctx, site, partitions)
                metadata |= entries
                plots |= {f"{title} of {name}": png for title, png in pictures.items()}
        yield from publish(context, step.writes, written, metadata=metadata, plots=plots)

    if step.name in PLANS:

        def compute(
            context: dg.AssetExecutionContext, platform: Platform, config: Any
        ) -> Iterator[dg.MaterializeResult]:
            yield from carry_out(context, platform, config.plan())

        compute.__annotations__["config"] = PLANS[step.name]
    else:

        def compute(  # type: ignore[misc]
            context: dg.AssetExecutionContext, platform: Platform
        ) -> Iterator[dg.MaterializeResult]:
            yield from carry_out(context, platform, None)

    compute.__doc__ = step.description
    return dg.multi_asset(
        name=step.name,
        specs=specs,
        backfill_policy=BACKFILL[step.partition],
        op_tags={"dagster/priority": str(urgency)},
    )(compute)


def _deps(step: Step, table: str) -> list[dg.AssetDep]:
    """Return the dependencies of one of a step's tables.

    What the step reads of its own tables is a dependency of the table itself only: Dagster would
    take it for one within the operation.
    """
    reads: dict[str, list[Read]] = {}
    for read in step.reads:
        if read.table not in step.writes or read.table == table:
            reads.setdefault(read.table, []).append(read)
    found = {
        name: dg.AssetDep(name.split("."), partition_mapping=mapping_of(several))
        for name, several in reads.items()
    }
    for given in step.given:
        for name in given.tables:
            found.setdefault(name, dg.AssetDep(name.split(".")))
    return list(found.values())
