"""Removes what runs make again: the partitions of derived tables, and the catalogue.

What a table says of itself decides (`Table.if_lost`); folders beside the lake are the command's.
"""

from .catalogue import CATALOGUE_FILE
from .lake import Warehouse
from .schemas import TABLES

DERIVED = tuple(name for name, table in TABLES.items() if not table.if_lost)


def derived_partitions(warehouse: Warehouse) -> int:
    """Return the number of partitions that `remove_derived` would remove."""
    return sum(len(warehouse.partitions(table)) for table in DERIVED)


def remove_derived(warehouse: Warehouse) -> dict[str, int]:
    """Remove all partitions of derived tables; return their number by table."""
    removed = {table: warehouse.remove(table) for table in DERIVED}
    (warehouse.root / CATALOGUE_FILE).unlink(missing_ok=True)
    return {table: count for table, count in removed.items() if count}
