"""What a step's computation gets: the site, the settings, and the tables that it declared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite, Site, require_network
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.schemas import TABLES

from .context import StepContext
from .step import partition_of

if TYPE_CHECKING:
    from .step import Step


class UndeclaredReadError(RuntimeError):
    """A computation read a partition that its step does not declare: its lineage would lie."""


@dataclass(frozen=True)
class Work:
    """One call of a step for a site.

    Parameters
    ----------
    ctx
        Warehouse, settings, progress.
    site
        What is watched.
    step
        The declaration; reading anything else raises.
    plan
        What was asked for, of steps that take a plan.
    declared
        Partitions that the step may read now, by table and file name; filled by the runner.
    memo
        What the step keeps from one partition to the next of the same call, to save time only.
    """

    ctx: StepContext
    site: Site
    step: "Step"
    plan: object = None
    declared: set[tuple[str, str]] = field(default_factory=set)
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> NetworkSite:
        """The site as a network.

        Raises
        ------
        InputError
            It is of another kind.
        """
        return require_network(self.site)

    @property
    def settings(self) -> Settings:
        """Settings of the run."""
        return self.ctx.settings

    @property
    def warehouse(self) -> Warehouse:
        """The lake, for what a step may look up beyond its inputs: its own former rows."""
        return self.ctx.warehouse

    @property
    def progress(self) -> Callable[[str], None]:
        """Called with each line of progress."""
        return self.ctx.progress

    def day(self, day: date) -> dict[str, str]:
        """Return the partition of a day of the site."""
        return {"date": day.isoformat(), "network": self.site.name}

    def read(self, table: str, partition: dict[str, str]) -> pl.DataFrame | None:
        """Return a partition that the step declared, or None where it does not exist.

        Raises
        ------
        UndeclaredReadError
            It exists and the step did not declare it.
        """
        own_keys = partition_of(table, partition)
        frame = self.ctx.warehouse.read(table, own_keys)
        name = "__".join(f"{key}={value}" for key, value in own_keys.items())
        own = table in self.step.writes
        if frame is not None and not own and (table, name) not in self.declared:
            raise UndeclaredReadError(
                f"step {self.step.name} reads {table} {name} without declaring it"
            )
        return frame

    def read_days(self, table: str, days: Sequence[date]) -> pl.DataFrame:
        """Return the rows of some days, in their order; no row where there are none."""
        frames = [f for day in days if (f := self.read(table, self.day(day))) is not None]
        return pl.concat(frames) if frames else TABLES[table].empty()

    def read_around(self, table: str, day: date, days_before: int) -> pl.DataFrame:
        """Return the rows of a day and of so many days before it."""
        days = [day - timedelta(days=back) for back in range(days_before, -1, -1)]
        return self.read_days(table, days)

    def is_damaged(self, table: str, partition: dict[str, str]) -> bool:
        """Whether a partition exists and cannot be read."""
        return self.ctx.warehouse.is_damaged(table, partition_of(table, partition))

    def input(self, table: str, partition: dict[str, str]) -> Input | None:
        """Return a partition as an input, or None where it does not exist."""
        return self.ctx.warehouse.as_input(table, partition_of(table, partition))


def day_of(partition: dict[str, str]) -> date:
    """Return the day of a partition."""
    return date.fromisoformat(partition["date"])
