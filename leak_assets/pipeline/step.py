"""What a step is: the tables it reads, of which days, what it writes and what else it follows from.

A declaration only; the one loop that carries it out is `runner`. Dagster's dependencies and
partition mappings, the order of a run without a daemon, what is stale and the lineage record all
follow from it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import polars as pl

from leak_assets.sites.site import SiteKind
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas import TABLES

from .code import code_version

if TYPE_CHECKING:
    from .work import Work

# A step's partitions: a day of a site, a scenario batch of a site, or the site as a whole.
Partitioning = Literal["day", "batch", "site"]

# How the lake names the partitions of what such steps compute.
PARTITION_KEYS: Mapping[Partitioning, tuple[str, ...]] = {
    "day": ("date", "network"),
    "batch": ("batch", "network"),
    "site": ("network",),
}

Partition = dict[str, str]
Frames = Mapping[str, pl.DataFrame]
Compute = Callable[["Work", Sequence[Partition]], Iterable[tuple[Partition, Frames]]]
Run = Callable[["Work", Sequence[Partition]], list[Written]]


def partition_of(table: str, partition: Partition) -> Partition:
    """Return the partition of a table that belongs to a step's partition.

    Tables of plants and households call `site` what those of networks call `network`.
    """
    values = partition | ({"site": partition["network"]} if "network" in partition else {})
    return {name: values[name] for name in TABLES[table].partition_by if name in values}


def _as_network_keys(table: str) -> tuple[str, ...]:
    return tuple("network" if key == "site" else key for key in TABLES[table].partition_by)


# Version of an input that could not be read.
DAMAGED = "damaged"


@dataclass(frozen=True)
class Read:
    """A table that a step reads.

    A table partitioned as the step is read in the same partition, one of the whole site as it
    is; a step of the whole site reads all partitions of a table that has more.

    Parameters
    ----------
    table
        Full name.
    first_day, last_day
        Of tables by day, read by steps by day: days around the step's own, 0 is that day.
    days
        Days that the step chooses itself for a day, all of them earlier: reference days, the
        days that it goes on from. Instead of `first_day` and `last_day`.
    required
        A partition of the step is made only where this table's own partition exists.
    spares
        Other days than the step's own may be damaged: they are read as if they were missing, and
        are inputs of version `DAMAGED`, so that the day is made again once they are mended.
    """

    table: str
    first_day: int = 0
    last_day: int = 0
    days: Callable[["Work", date], Sequence[date]] | None = None
    required: bool = False
    spares: bool = False

    def __post_init__(self) -> None:
        if self.table not in TABLES:
            raise ValueError(f"there is no table {self.table!r}")
        if self.first_day > self.last_day or self.last_day > 0:
            raise ValueError(f"{self.table}: days must run from the past up to the day itself")
        if self.days is not None and (self.first_day, self.last_day) != (0, 0):
            raise ValueError(f"{self.table}: either days around the step's own, or chosen days")
        if self.looks_back and "date" not in TABLES[self.table].partition_by:
            raise ValueError(f"{self.table} has no days that could be read")

    @property
    def looks_back(self) -> bool:
        """Whether days before the step's own are read."""
        return self.days is not None or self.first_day < 0


@dataclass(frozen=True)
class Given:
    """What a step follows from besides tables: model and layout, contract, models, settings.

    Parameters
    ----------
    name
        Kind of its inputs (`network`, `contract`, `model`, `plan`, `setting`), or any word.
    inputs
        Gives the inputs as a write records them.
    tables
        Tables that stand behind them and are read through other means (the registry of models):
        Dagster's dependencies.
    judged
        Whether another version makes partitions stale. Inputs of kind `name` are recorded only,
        where it is false.
    of_day
        Instead of `inputs`, where each day follows from something of its own.
    """

    name: str
    inputs: Callable[["Work"], Sequence[Input]]
    tables: tuple[str, ...] = ()
    judged: bool = True
    of_day: Callable[["Work", date], Sequence[Input]] | None = None

    def inputs_for(self, work: "Work", partition: Partition) -> Sequence[Input]:
        """Return what a partition follows from."""
        if self.of_day is None:
            return self.inputs(work)
        return self.of_day(work, date.fromisoformat(partition["date"]))


def always_apart(_work: "Work", _day: date) -> bool:
    """Say that no day reads another of the step's own; for `Step.is_apart`."""
    return True


@dataclass(frozen=True)
class Step:
    """One step of the graph.

    Parameters
    ----------
    name
        Name of Dagster's operation and of the progress line.
    partition
        What one partition is.
    writes
        Tables, each partition of which is written for each of the step's partitions.
    reads, given
        What it is made from; a computation that reads anything else is an error.
    description
        One line for Dagster and the documentation.
    compute
        Yields the frames of each partition that it is asked for, in order; a partition that it
        leaves out is not written.
    run
        Instead of `compute`, of steps that take what is not in the lake (deliveries) or whose
        partitions are named by their result (a model's version): writes by itself.
    days_at_once
        How many days `compute` is handed at once, where they do not go on from each other.
    goes_on
        Whether a day goes on from the step's own rows of the days before: `compute` is then
        handed all days from the first that is stale.
    in_processes
        Whether partitions are computed in several processes.
    is_apart
        Whether a day and all later ones no longer read days of this step that are still to be
        made: a long range is computed in several processes from there on.
    kinds
        Kinds of sites that it is made for; for others it writes nothing.
    holds_back
        Table whose rows are not taken in any more once a day was published longer ago than the
        correction window: a person asks for such a day. Of steps by day.
    code
        Modules that the step is made of besides the one of `compute` or `run`.
    """

    name: str
    partition: Partitioning
    writes: tuple[str, ...]
    reads: tuple[Read, ...]
    given: tuple[Given, ...]
    description: str
    compute: Compute | None = None
    run: Run | None = None
    days_at_once: int = 1
    goes_on: bool = False
    in_processes: bool = False
    is_apart: Callable[["Work", date], bool] | None = None
    kinds: tuple[SiteKind, ...] = ("network",)
    holds_back: str = ""
    code: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := [table for table in self.writes if table not in TABLES]:
            raise ValueError(f"step {self.name} writes unknown tables: {', '.join(unknown)}")
        if (self.compute is None) == (self.run is None):
            raise ValueError(f"step {self.name} needs either `compute` or `run`")
        if self.partition != "day" and any(read.looks_back for read in self.reads):
            raise ValueError(f"step {self.name} is no step by day and cannot look days back")
        keys = PARTITION_KEYS[self.partition]
        others = [t for t in self.writes if _as_network_keys(t) != keys]
        if self.compute is not None and others:
            raise ValueError(f"step {self.name} is by {self.partition}, {', '.join(others)} is not")

    @property
    def code_version(self) -> str:
        """Hash of the modules that the computation is made of."""
        function = self.compute or self.run
        return code_version(*self.code, function.__module__ if function else "")

    @property
    def upstream_tables(self) -> tuple[str, ...]:
        """Tables that it reads, in any way, without repetition."""
        given = (table for source in self.given for table in source.tables)
        return tuple(dict.fromkeys([*(read.table for read in self.reads), *given]))

    def made(
        self, work: "Work", partitions: Sequence[Partition]
    ) -> Iterable[tuple[Partition, Frames]]:
        """Return what `compute` yields."""
        if self.compute is None:
            raise TypeError(f"step {self.name} writes by itself")
        return self.compute(work, partitions)
