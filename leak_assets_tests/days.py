"""Days of the test town in a home: files landed, readings that break the contract."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.pipeline.step import Step
from leak_assets.sites.site import Site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.warehouse import Written
from leak_assets_tests.towns import DAYS, FIRST_DAY

READINGS = "telemetry.readings"
TOWN_DAYS = [FIRST_DAY.date() + timedelta(days=number) for number in range(DAYS)]


def land(town_files: Path, ctx: StepContext) -> None:
    """Put the town's files into the landing zone."""
    deliver([town_files / "landing" / "hanoi"], ctx.settings.landing_dir, "hanoi")


def land_day(ctx: StepContext, town_files: Path, day: date) -> None:
    """Deliver the town's rows of one day, a file for each quantity as every day would bring."""
    parts = ctx.settings.home / "parts"
    parts.mkdir(exist_ok=True)
    for file in sorted((town_files / "landing" / "hanoi").iterdir()):
        header, *lines = file.read_text().splitlines(keepends=True)
        part = parts / f"{day}_{file.name}"
        part.write_text(header + "".join(line for line in lines if line.startswith(str(day))))
        deliver([part], ctx.settings.landing_dir, "hanoi")


def run_days(step: Step, ctx: StepContext, site: Site, *days: date) -> list[Written]:
    """Bring days of a step up to date."""
    return run_step(step, ctx, site, day_partitions(days, site.name))


IMPOSSIBLE = (pl.col("value_si") + 1e6,)
UNUSABLE = (pl.lit(0, pl.Int8).alias("mask"), pl.lit("bad").alias("quality"))


def spoil_readings(
    ctx: StepContext, day: date, network: str = "hanoi", change: Sequence[pl.Expr] = IMPOSSIBLE
) -> None:
    """Put impossible values into a day's readings, as made from the same by the same code.

    No validation of ours would let them pass, so they are put into the lake by hand; a step that
    comes by takes the partition for up to date.
    """
    partition = day_partition(day, network)
    frame, record = (
        ctx.warehouse.read(READINGS, partition),
        ctx.warehouse.record(READINGS, partition),
    )
    assert frame is not None
    assert record is not None
    ctx.warehouse.write(
        READINGS,
        partition,
        frame.with_columns(*change),
        inputs=record.inputs,
        code_version=record.code_version,
    )


def mend_readings(ctx: StepContext, day: date, network: str = "hanoi") -> None:
    """Remove a day's readings, so that they are made again."""
    ctx.warehouse.path(READINGS, day_partition(day, network)).unlink()
