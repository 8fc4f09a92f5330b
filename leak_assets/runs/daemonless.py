"""The whole way without a daemon: the steps of all rooms, one after the other.

Dagster assets call the same steps, so both ways give the same rows.
`python -m leak_assets.runs.daemonless NETWORK` takes what waits in its landing zone.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from leak_assets.detection.steps import write_scores
from leak_assets.errors import InputError
from leak_assets.features.steps import write_calibrations, write_residuals, write_windows
from leak_assets.features.training_steps import write_training_features
from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
from leak_assets.hydraulics.steps import write_scenario_batches
from leak_assets.incidents.steps import write_incidents
from leak_assets.models.steps import failed_gates, register_models, train_models, write_evaluations
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.locks import network_lock
from leak_assets.quality.steps import check_contract
from leak_assets.sites.steps import write_network
from leak_assets.summaries.steps import write_summaries
from leak_assets.telemetry.sources.inbox import Cursor, Delivery, waiting_deliveries
from leak_assets.telemetry.steps import known_files, write_raw_readings, write_readings
from leak_assets.warehouse import Written
from leak_assets.warehouse.catalogue import build_catalogue

from .freshness import stale_days, through_newest

Step = Callable[[StepContext, str, Sequence[date]], list[Written]]

# The way of a day's validated readings, in order; Dagster's micro-batch job has the same order.
STEPS_AFTER_CHECK: tuple[Step, ...] = (
    write_calibrations,
    write_residuals,
    write_windows,
    write_scores,
    write_incidents,
    write_summaries,
)


@dataclass(frozen=True)
class BatchSummary:
    """What became of the files in the landing zone.

    Parameters
    ----------
    days
        Days that were delivered or had to be made anew.
    quarantined, windows
        Rows written.
    incidents
        Incidents of the network, open or closed.
    problems
        A line for each way in which a day's readings break the contract; nothing was made from
        those days.
    """

    days: int
    quarantined: int
    windows: int
    incidents: int
    problems: tuple[str, ...] = ()


def process_landing_zone(ctx: StepContext, network: str) -> BatchSummary:
    """Take all new files of a network from the landing zone to incidents.

    Days that an interrupted run left half done, that lie after a day that came late, or that were
    scored by other models than those in force, are taken along.
    """
    if not ctx.warehouse.partitions("network.links", network=network):
        write_network(ctx, network)
    written: list[Written] = []
    delivered: set[date] = set()
    cursor = Cursor(done=known_files(ctx, network))
    while delivery := _next_delivery(ctx, network, cursor):
        written += _run(write_raw_readings, ctx, network, delivery.days)
        delivered.update(delivery.days)
        cursor.succeeded(cursor.take(delivery))
    problems: list[str] = []
    if stale := stale_days(ctx, network):
        made, problems = process_days(ctx, network, through_newest(ctx, network, stale))
        written += made
    build_catalogue(ctx.warehouse.root)
    return BatchSummary(
        days=len(delivered.union(stale)),
        quarantined=_rows(written, "telemetry.quarantine"),
        windows=_rows(written, "scores.window_scores"),
        incidents=ctx.warehouse.read_all("incidents.incident_events", network=network)[
            "incident_id"
        ].n_unique(),
        problems=tuple(problems),
    )


def process_days(
    ctx: StepContext, network: str, days: Sequence[date]
) -> tuple[list[Written], list[str]]:
    """Take a range of days of a network from raw readings to incident summaries.

    Returns
    -------
    tuple
        What was written, and a line for each problem of readings that break the contract. Nothing
        is made from a day that has one; the other days go on.
    """
    written = _run(write_readings, ctx, network, days)
    problems = {day: check_contract(ctx, network, [day])[0] for day in days}
    sound = [day for day in days if not problems[day]]
    for step in STEPS_AFTER_CHECK:
        written += _run(step, ctx, network, sound)
    return written, [line for lines in problems.values() for line in lines]


def _run(step: Step, ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    ctx.progress(step.__name__.removeprefix("write_").replace("_", " "))
    with network_lock(ctx, network):
        return step(ctx, network, days)


def train(ctx: StepContext, network: str, plan: ScenarioPlan) -> list[str]:
    """Simulate, train, evaluate and, where the gates hold, put the models in force.

    Returns
    -------
    list of str
        A line for each gate that failed; empty if the models are in force.
    """
    write_network(ctx, network)
    write_scenario_batches(ctx, network, plan.batch_names(), plan)
    write_training_features(ctx, network, plan.batch_names())
    train_models(ctx, network)
    write_evaluations(ctx, network)
    register_models(ctx, network)
    failures = failed_gates(ctx, network)
    if not failures:
        # Days that were scored by other models, or by none, are scored by the new ones.
        process_landing_zone(ctx, network)
    return failures


def _next_delivery(ctx: StepContext, network: str, cursor: Cursor) -> Delivery | None:
    deliveries, problems = waiting_deliveries(ctx.settings, cursor)
    for problem in problems:
        ctx.progress(problem)
    return next((d for d in deliveries if d.network == network), None)


def _rows(written: Sequence[Written], table: str) -> int:
    return sum(w.record.rows for w in written if w.changed and w.record.table == table)


def main() -> int:
    """Run the batch for the networks on the command line; 1 if readings break the contract."""
    code = 0
    for name in sys.argv[1:]:
        ctx = StepContext.local(run_id="batch")
        try:
            summary = process_landing_zone(ctx, ctx.network(name).name)
        except InputError as error:
            sys.stderr.write(f"error: {error}\n")
            return 2
        sys.stdout.write(f"{name}: {summary}\n")
        code = max(code, int(bool(summary.problems)))
    return code


if __name__ == "__main__":
    sys.exit(main())
