"""Days that a run over several could not make: told where they are missing, and at its end.

Dagster ends a run at the first operation that fails. So operations make the days they can, note
the others, and the checks here fail the run when there is nothing left to make (ORC10).
"""

from collections.abc import Sequence

import dagster as dg

from leak_assets.defs.partitions import DAY_SITE, dagster_key, days_by_site
from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.step import Partition, Step
from leak_assets.pipeline.work import day_of
from leak_assets.runs.graph import Graph
from leak_assets.runs.sound_days import run_sound_days
from leak_assets.sites.site import Site
from leak_assets.warehouse import Written

# Metadata of the observation of a day that could not be made.
NOT_MADE = "not_made"
TOLD = 5


def make_days(
    context: dg.AssetExecutionContext,
    step: Step,
    ctx: StepContext,
    site: Site,
    partitions: Sequence[Partition],
) -> tuple[list[Written], list[Partition]]:
    """Make what can be made of the run's days, and note the others for the end of the run.

    Returns
    -------
    tuple
        What was written, and the partitions that could be made.

    Raises
    ------
    InputError
        None of the days can be made.
    """
    outcome = run_sound_days(step, ctx, site, [day_of(partition) for partition in partitions])
    if outcome.problems and not outcome.days:
        raise InputError(
            "; ".join(list(outcome.problems.values())[:TOLD]),
            remedy="Mend the cause and run these days again; what is up to date is kept",
        )
    for day, line in outcome.problems.items():
        key = dagster_key(day_partition(day, site.name), context.partition_keys)
        context.log.error(line)
        for table in step.writes:
            asset_key = dg.AssetKey(table.split("."))
            # Dagster takes all days of a range for materialized: this one says that it is not.
            context.add_asset_metadata({NOT_MADE: line}, asset_key=asset_key, partition_key=key)
        asset_key = dg.AssetKey(step.writes[0].split("."))
        context.log_event(dg.AssetObservation(asset_key, partition=key, metadata={NOT_MADE: line}))
    return outcome.written, [day_partition(day, site.name) for day in outcome.days]


def build_day_checks(graph: Graph) -> list[dg.AssetChecksDefinition]:
    """Return a check for each step of a day that no other follows: every step is before one."""
    steps = graph.by_day()
    followed = {
        graph.writer[table].name
        for step in steps
        for table in step.upstream_tables
        if graph.writer[table] is not step
    }
    return [_every_day_made(step) for step in steps if step.name not in followed]


def _every_day_made(step: Step) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=step.writes[0].split("."),
        name="every_day_made",
        # Nothing follows: it stops no other table, it ends the run as failed.
        blocking=True,
        partitions_def=DAY_SITE,
        description="The run has made every day that it was asked for; its failure names the"
        " others. Run again after the cause is mended, only those are made.",
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        lines = _not_made(context.instance, context.run.run_id)
        days = sum(map(len, days_by_site(context).values()))
        return dg.AssetCheckResult(
            passed=not lines,
            description="; ".join(lines[:TOLD]) or f"{days} days",
            metadata={"problems": len(lines)},
        )

    return check


def _not_made(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return what the run's operations noted, each line once."""
    noted = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION)
    found: dict[str, None] = {}
    for record in noted.records:
        observation = record.event_log_entry.asset_observation
        if observation is not None and NOT_MADE in observation.metadata:
            found[str(observation.metadata[NOT_MADE].value)] = None
    return sorted(found)
