"""The whole way without a daemon: the steps of all rooms, one after the other.

Dagster assets call the same steps, so both ways give the same rows. `python -m leak_assets.batch
NETWORK` takes what waits in the landing zone of a network.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from leak_assets.context import StepContext
from leak_assets.detection.steps import write_scores
from leak_assets.errors import InputError
from leak_assets.features.steps import write_calibrations, write_residuals, write_windows
from leak_assets.features.training_steps import write_training_features
from leak_assets.hydraulics.scenarios import ScenarioPlan
from leak_assets.hydraulics.steps import write_scenario_batches
from leak_assets.incidents.steps import write_incidents
from leak_assets.models.steps import (
    champions,
    failed_gates,
    register_models,
    train_models,
    write_evaluations,
)
from leak_assets.networks.steps import write_network
from leak_assets.summaries.steps import write_summaries
from leak_assets.telemetry.inbox import Cursor, Delivery, waiting_deliveries
from leak_assets.telemetry.steps import known_files, write_raw_readings, write_readings
from leak_assets.warehouse import Written
from leak_assets.warehouse.catalogue import build_catalogue

# The way of a day's readings, in order; Dagster's micro-batch job has the same order.
DAY_STEPS = (
    write_raw_readings,
    write_readings,
    write_calibrations,
    write_residuals,
    write_windows,
    write_scores,
    write_incidents,
    write_summaries,
)


# Tables of a day that are made from one another, in order.
_CHAIN = (
    "telemetry.raw_readings",
    "telemetry.readings",
    "features.residuals",
    "scores.window_scores",
    "incidents.incident_events",
    "incidents.summaries",
)


@dataclass(frozen=True)
class BatchSummary:
    """What became of the files in the landing zone."""

    days: int
    quarantined: int
    windows: int
    incidents: int


def process_landing_zone(ctx: StepContext, network: str) -> BatchSummary:
    """Take all new files of a network from the landing zone to incidents.

    Days that an interrupted run left half done, or that were scored by other models than those
    in force, are taken along.
    """
    if not ctx.warehouse.partitions("network.links", network=network):
        write_network(ctx, network)
    written: list[Written] = []
    days: set[date] = set()
    cursor = Cursor(done=known_files(ctx, network))
    while delivery := _next_delivery(ctx, network, cursor):
        written += process_days(ctx, network, delivery.days)
        days.update(delivery.days)
        cursor.succeeded(cursor.take(delivery))
    if left := stale_days(ctx, network):
        written += process_days(ctx, network, left)
        days.update(left)
    build_catalogue(ctx.warehouse.root)
    return BatchSummary(
        days=len(days),
        quarantined=_rows(written, "telemetry.quarantine"),
        windows=_rows(written, "scores.window_scores"),
        incidents=ctx.warehouse.read_all("incidents.incident_events", network=network)[
            "incident_id"
        ].n_unique(),
    )


def stale_days(ctx: StepContext, network: str) -> list[date]:
    """Return the days with raw readings whose tables are missing, or made from older ones."""
    models = {(a.model, a.version) for a in champions(ctx, network).values()}
    stale = []
    for partition in ctx.warehouse.partitions(_CHAIN[0], network=network):
        records = [ctx.warehouse.record(table, partition) for table in _CHAIN]
        is_current = all(
            upstream is not None
            and record is not None
            and upstream.data_version in {i.version for i in record.inputs}
            for upstream, record in pairwise(records)
        )
        scores = records[_CHAIN.index("scores.window_scores")]
        scored_by = (
            {(i.name, i.version) for i in scores.inputs if i.kind == "model"} if scores else ()
        )
        if not is_current or scored_by != models:
            stale.append(date.fromisoformat(partition["date"]))
    return stale


def process_days(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Take a range of days of a network from landed files to incident summaries."""
    written: list[Written] = []
    for step in DAY_STEPS:
        ctx.tell(step.__name__.removeprefix("write_").replace("_", " "))
        written += step(ctx, network, days)
    return written


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
    # Days that were scored by other models, or by none, are scored by the new ones.
    process_landing_zone(ctx, network)
    return failed_gates(ctx, network)


def _next_delivery(ctx: StepContext, network: str, cursor: Cursor) -> Delivery | None:
    deliveries, _ = waiting_deliveries(ctx.settings, cursor)
    return next((d for d in deliveries if d.network == network), None)


def _rows(written: Sequence[Written], table: str) -> int:
    return sum(w.record.rows for w in written if w.record.table == table)


def main() -> int:
    """Run the batch for the networks on the command line."""
    for name in sys.argv[1:]:
        ctx = StepContext.local(run_id="batch")
        try:
            summary = process_landing_zone(ctx, ctx.network(name).name)
        except InputError as error:
            sys.stderr.write(f"error: {error}\n")
            return 2
        sys.stdout.write(f"{name}: {summary}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
