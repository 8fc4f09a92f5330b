"""The leak-free reference days of a network, and what readings look like on them."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from leak_assets.context import StepContext, day_partition
from leak_assets.warehouse import Input

from .validate import reference_statistics


@dataclass(frozen=True)
class Reference:
    """Mean and standard deviation of each sensor on the reference days, and their source."""

    statistics: pl.DataFrame
    inputs: list[Input]


def reference_days(ctx: StepContext, network: str) -> list[date]:
    """Return the leak-free reference days of a network, in order; none until all are there.

    They are those of the network's settings, or the first days that it has readings of.
    """
    entry = ctx.network(network)
    days = [
        date.fromisoformat(partition["date"])
        for partition in ctx.warehouse.partitions("telemetry.readings", network=network)
    ]
    first = entry.reference_first_day or min(days, default=date.max)
    found = [day for day in days if 0 <= (day - first).days < entry.reference_days]
    return found if len(found) == entry.reference_days else []


def reference_before(ctx: StepContext, network: str, day: date) -> Reference | None:
    """Return the reference for a day; None until the reference days are over.

    Only days before `day` count, so that nothing from the future marks a reading.
    """
    days = reference_days(ctx, network)
    if not days or day <= days[-1]:
        return None
    partitions = [day_partition(d, network) for d in days]
    frames = [ctx.warehouse.read("telemetry.readings", p) for p in partitions]
    inputs = [ctx.warehouse.as_input("telemetry.readings", p) for p in partitions]
    statistics = reference_statistics(pl.concat([f for f in frames if f is not None]))
    return Reference(statistics, [i for i in inputs if i is not None])
