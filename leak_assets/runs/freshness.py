"""Which days would be written differently now: what their tables were made from has changed.

Each table is compared with what its step would name as inputs today. Writing is not done here.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from leak_assets.detection.steps import score_inputs
from leak_assets.features.steps import (
    CALIBRATION_TABLES,
    calibration_inputs,
    residual_inputs,
    window_inputs,
)
from leak_assets.incidents.steps import TABLES as INCIDENT_TABLES
from leak_assets.incidents.steps import fixed_inputs, incident_inputs
from leak_assets.models.steps import champions
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.telemetry.reference import reference_in_force, reference_periods
from leak_assets.warehouse import Input

RAW = "telemetry.raw_readings"
READINGS = "telemetry.readings"
SUMMARIES = "incidents.summaries"


def days_with_readings(ctx: StepContext, network: str) -> list[date]:
    """Return the days in the raw log of a network, in order."""
    partitions = ctx.warehouse.partitions(RAW, network=network)
    return [date.fromisoformat(partition["date"]) for partition in partitions]


def through_newest(ctx: StepContext, network: str, days: Sequence[date]) -> list[date]:
    """Return some days and all later ones in the raw log, in order.

    A day goes on from the days before it, so a late day is followed by all that came earlier.
    """
    later = (d for d in days_with_readings(ctx, network) if days and d > min(days))
    return sorted({*days, *later})


def stale_days(ctx: StepContext, network: str) -> list[date]:
    """Return the days of the raw log with a table that is missing or made from other inputs.

    Changes show one table at a time: bringing these days and all later ones up to date in order
    leaves none.
    """
    judges = _judges(ctx, network)
    return [
        day for day in days_with_readings(ctx, network) if any(is_stale(day) for is_stale in judges)
    ]


def _judges(ctx: StepContext, network: str) -> list[Callable[[date], bool]]:
    """Return one judge of a day for each table, in the order of the steps."""
    model, in_use = ctx.network_inputs(network), champions(ctx, network)
    periods = reference_periods(ctx, network)
    events = ctx.warehouse.read_all(INCIDENT_TABLES[0], network=network)
    fixed = fixed_inputs(ctx, network)

    def differs(table: str, day: date, inputs: Sequence[Input]) -> bool:
        record = ctx.warehouse.record(table, day_partition(day, network))
        return record is None or record.inputs != tuple(inputs)

    def calibrations(day: date) -> bool:
        table = CALIBRATION_TABLES[0]
        reference = reference_in_force(ctx, network, day, periods=periods, table=table)
        return differs(table, day, calibration_inputs(ctx, network, reference, model))

    return [
        lambda day: _readings_are_stale(ctx, network, day),
        calibrations,
        lambda day: differs("features.residuals", day, residual_inputs(ctx, network, day, model)),
        lambda day: differs("features.windows", day, window_inputs(ctx, network, day)),
        lambda day: differs("scores.window_scores", day, score_inputs(ctx, network, day, in_use)),
        lambda day: differs(
            INCIDENT_TABLES[0], day, incident_inputs(ctx, network, day, events, fixed)
        ),
        lambda day: not _is_current(ctx, SUMMARIES, day_partition(day, network)),
    ]


def _readings_are_stale(ctx: StepContext, network: str, day: date) -> bool:
    """Whether the raw log of the day or of the day before has come or changed since."""
    partition = day_partition(day, network)
    if not _is_current(ctx, READINGS, partition):
        return True
    record = ctx.warehouse.record(READINGS, partition)
    known = {i.partition for i in record.inputs if i.name == RAW} if record else set()
    raw = (day_partition(d, network) for d in (day - timedelta(days=1), day))
    there = (ctx.warehouse.as_input(RAW, partition) for partition in raw)
    return any(source.partition not in known for source in there if source is not None)


def _is_current(ctx: StepContext, table: str, partition: dict[str, str]) -> bool:
    """Whether a partition stands and every table that it names among its inputs does so, too."""
    record = ctx.warehouse.record(table, partition)
    if record is None:
        return False
    sources = [source for source in record.inputs if source.kind == "table"]
    return all(
        ctx.warehouse.as_input(s.name, dict(p.split("=", 1) for p in s.partition.split("__"))) == s
        for s in sources
    )
