"""Made-up steps over real tables, where the number of rows is the value of a partition.

In a module of its own: steps that run in several processes must be importable there.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import day_partitions
from leak_assets.pipeline.step import Frames, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.warehouse.schemas import TABLES

RAW, READINGS, RESIDUALS = "telemetry.raw_readings", "telemetry.readings", "features.residuals"
SCENARIOS, TRAINING = "simulation.scenarios", "features.training_windows"
SITE = "hanoi"


def march(number: int) -> date:
    """Day of March 2019."""
    return date(2019, 3, number)


def days(*numbers: int) -> list[Partition]:
    """Partitions of days of March 2019."""
    return day_partitions([march(number) for number in numbers], SITE)


def rows(table: str, count: int) -> pl.DataFrame:
    """Return so many rows that fit a table's schema."""
    schema = TABLES[table].polars_schema
    content = {name: [_cell(dtype, n) for n in range(count)] for name, dtype in schema.items()}
    return pl.DataFrame(content, schema=schema)


def _cell(dtype: pl.DataType, number: int) -> Any:
    if isinstance(dtype, pl.Datetime):
        return datetime(2019, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    if isinstance(dtype, pl.Date):
        return date(2019, 1, 1) + timedelta(days=number)
    if isinstance(dtype, pl.Boolean):
        return bool(number)
    if isinstance(dtype, pl.String):
        return f"x{number}"
    if isinstance(dtype, pl.Binary):
        return bytes([number])
    return number


def put(ctx: StepContext, table: str, partition: Partition, count: int) -> None:
    """Write a partition of so many rows, as another step would."""
    ctx.warehouse.write(table, partition, rows(table, count))


def put_days(ctx: StepContext, table: str, counts: dict[int, int]) -> None:
    """Write days of March 2019 with so many rows."""
    for number, count in counts.items():
        put(ctx, table, day_partition(march(number), SITE), count)


def heights(ctx: StepContext, table: str) -> dict[int, int]:
    """Return the number of rows of each day of March 2019 that a table has."""
    found = ctx.warehouse.partitions(table, network=SITE)
    return {int(p["date"][-2:]): ctx.warehouse.read(table, p).height for p in found}  # type: ignore[union-attr]


def two_days(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
    """Yield as many rows as the raw log has on a day and on the day before."""
    work.progress(f"asked for {[day_of(p).day for p in partitions]}")
    for partition in partitions:
        count = work.read_around(RAW, day_of(partition), 1).height
        yield partition, {table: rows(table, count) for table in work.step.writes}


TWO_DAYS = Step(
    name="two_days",
    partition="day",
    writes=(READINGS,),
    reads=(Read(RAW, first_day=-1, required=True),),
    given=(),
    compute=two_days,
    description="Rows of a day and of the day before.",
)


def sums(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
    """Yield as many rows as the day has and this table's day before."""
    work.progress(f"asked for {[day_of(p).day for p in partitions]}")
    for partition in partitions:
        before = work.read_days(RESIDUALS, days_before(work, day_of(partition)))
        today = work.read(READINGS, partition)
        assert today is not None
        yield partition, {RESIDUALS: rows(RESIDUALS, today.height + before.height)}


def days_before(work: Work, day: date) -> list[date]:
    """Return the newest day of the running sum before a day."""
    known = work.warehouse.partitions(RESIDUALS, network=work.site.name)
    earlier = [found for p in known if (found := day_of(p)) < day]
    return earlier[-1:]


RUNNING_SUM = Step(
    name="running_sum",
    partition="day",
    writes=(RESIDUALS,),
    reads=(Read(READINGS, required=True), Read(RESIDUALS, days=days_before)),
    given=(),
    compute=sums,
    goes_on=True,
    description="A sum that goes on from day to day.",
)


def doubled(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
    """Yield twice the rows of each batch's scenarios."""
    for partition in partitions:
        scenarios = work.read(SCENARIOS, partition)
        assert scenarios is not None
        yield partition, {TRAINING: rows(TRAINING, 2 * scenarios.height)}


DOUBLED = Step(
    name="doubled",
    partition="batch",
    writes=(TRAINING,),
    reads=(Read(SCENARIOS, required=True),),
    given=(),
    compute=doubled,
    description="Batches, each by itself.",
)
