"""Whether rows are those of a table: columns, types, nulls and key as its schema says.

What readers rely on beyond that is the data contract's (`contract.py`).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from .schemas import Table


def validate(frame: pl.DataFrame, table: Table) -> None:
    """Raise ValueError unless columns, order, types, nulls and key are those of the schema."""
    expected, actual = table.polars_schema, frame.schema
    if list(expected.items()) != list(actual.items()):
        differences = [
            f"{name}: expected {expected.get(name, 'nothing')}, got {actual.get(name, 'nothing')}"
            for name in dict.fromkeys([*expected, *actual])
            if expected.get(name) != actual.get(name)
        ] or [f"order: expected {list(expected)}, got {list(actual)}"]
        raise ValueError(f"{table.full_name}: " + "; ".join(differences))
    if frame.is_empty():
        return
    nulls = frame.select(pl.all().null_count())
    for column in table.columns:
        if not column.nullable and nulls[column.name][0]:
            raise ValueError(
                f"{table.full_name}.{column.name}: {nulls[column.name][0]} nulls"
                " in a column that has none"
            )
    if _is_in_order(frame, table.key):
        return
    # Different hashes are of different keys: comparing the keys themselves takes twice as long.
    key = pl.struct(table.key)
    if frame.select(key.hash().n_unique()).item() == frame.height:
        return
    if frame.select(key.n_unique()).item() != frame.height:
        doubled = frame.filter(pl.struct(table.key).is_duplicated()).select(table.key).row(0)
        raise ValueError(f"{table.full_name}: key {table.key} is not unique, e.g. {doubled}")


def _is_in_order(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether rows are told apart by names that come once each, and by times that rise with them.

    Days of readings are in such an order, and are seen to be unique in a fifth of the time that
    hashing their keys takes. False says nothing.
    """
    texts = [name for name in key if frame.schema[name] == pl.String]
    others = [name for name in key if name not in texts]
    if len(others) != 1:
        return False
    texts = texts[: list(key).index(others[0])]
    changes = [pl.col(name).ne_missing(pl.col(name).shift()) for name in texts]
    starts = np.ones(frame.height, dtype=bool)
    if changes:
        starts = frame.select(pl.any_horizontal(changes)).to_series().to_numpy().copy()
        starts[0] = True
        runs = np.flatnonzero(starts)
        if len(runs) > frame.height // 4 or frame.select(texts)[runs].n_unique() < len(runs):
            return False
    numbers = frame.get_column(others[0]).to_physical().to_numpy()
    return bool((starts[1:] | (np.diff(numbers) > 0)).all())
