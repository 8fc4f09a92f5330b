"""How a table or view is declared: the one source of column, type, unit and description.

No table is declared here; each warehouse schema has a module of its own beside this one.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import polars as pl

UTC_US = pl.Datetime("us", "UTC")

# Which versions of a partition are kept when another is published (ADR 0015).
History = Literal["none", "revisions", "all"]


@dataclass(frozen=True)
class Column:
    """One column: name (with unit where it has one), polars type, meaning."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    description: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Parameters
    ----------
    schema, name
        `schema.name` in SQL, `[schema, name]` as asset key.
    row
        What one row is.
    partition_by
        Names of the values in a partition's file name, in order; empty for a single file.
    key
        Columns that identify a row; no two rows of a partition share them.
    if_lost
        What a user does when a partition is lost that no run makes again: deliveries, decisions,
        trained models. Empty where a run makes it again from those.
    history
        Which replaced versions of a partition are kept: `none`; `revisions`: those whose rows were
        said differently, not those that a day in progress went on from; `all`.
    known_at
        Of tables to which rows are only added: the column that says since when a row is known.
    is_interim
        Rows on the way to results, which retention removes after a time: they are made again.
    """

    schema: str
    name: str
    row: str
    partition_by: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    if_lost: str = ""
    history: History = "none"
    known_at: str = ""
    is_interim: bool = False

    @property
    def full_name(self) -> str:
        """Name in SQL."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def polars_schema(self) -> pl.Schema:
        """Column types as polars knows them."""
        return pl.Schema({c.name: c.dtype for c in self.columns})

    def empty(self) -> pl.DataFrame:
        """Return a frame with the right types and no row."""
        return self._empty.clone()

    @cached_property
    def _empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.polars_schema)


@dataclass(frozen=True)
class View:
    """A query over tables that has a name of its own; `{lake}` stands for the lake's path."""

    schema: str
    name: str
    row: str
    sql: str
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Name in SQL."""
        return f"{self.schema}.{self.name}"


SITE = Column("site", pl.String, "name of the plant or household")
NETWORK = Column("network", pl.String, "network name, e.g. `l-town`")
