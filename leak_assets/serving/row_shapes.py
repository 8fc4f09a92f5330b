"""Shapes of rows as the API's documents describe them, taken from the tables' own columns.

The catalogue says once what a column means and in which unit; nothing is said again here.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, create_model

from leak_assets.warehouse.schemas import TABLES

_TYPES: dict[Any, type] = {
    pl.String: str,
    pl.Float64: float,
    pl.Int64: int,
    pl.Int8: int,
    pl.Boolean: bool,
    pl.Date: date,
}


def row_shape(
    name: str,
    table: str,
    columns: Iterable[str] = (),
    *,
    without: Iterable[str] = (),
    more: dict[str, Any] | None = None,
) -> type[BaseModel]:
    """Return the shape of a table's rows.

    Parameters
    ----------
    name
        Of the shape in the documents.
    table
        As in SQL.
    columns
        These alone; by default all but those of `without`.
    more
        Further fields, as `pydantic.create_model` takes them.
    """
    wanted = tuple(columns)
    fields: dict[str, Any] = {}
    for column in TABLES[table].columns:
        if column.name in tuple(without) or (wanted and column.name not in wanted):
            continue
        kind: Any = datetime if isinstance(column.dtype, pl.Datetime) else _TYPES[column.dtype]
        # What DuckDB computes may be NaN, which is null in JSON, in any column of numbers.
        is_open = column.nullable or kind is float
        fields[column.name] = (
            kind | None if is_open else kind,
            Field(description=column.description),
        )
    return create_model(
        name,
        __config__=ConfigDict(extra="forbid"),
        __doc__=TABLES[table].row,
        **fields,
        **more or {},
    )
