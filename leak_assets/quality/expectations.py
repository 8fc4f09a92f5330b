"""The contract as expectations, independent of the library that evaluates them.

What is expected and how bad a failure is stands here; evaluating is `great_expectations_suite`.
"""

from dataclasses import dataclass, field
from typing import Any

from leak_assets.sites.contract import Contract
from leak_assets.warehouse.schemas.telemetry import READINGS

from .checks import Severity

# Column that the adapter adds: seconds since the last step of the grid.
OFF_GRID_S = "seconds_off_grid"

_PANDAS_TYPES = {
    "string": "str",
    "float32": "float32",
    "float64": "float64",
    "int8": "int8",
    "int32": "int32",
    "int64": "int64",
    "boolean": "bool",
    "date": "date",
    "timestamp_us_utc": "Timestamp",
}


@dataclass(frozen=True)
class Expected:
    """One expectation: its name, what it says, and how Great Expectations calls it."""

    name: str
    text: str
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: Severity = "ERROR"
    # Rows it is about: a column and the values it has there; None = all.
    where: tuple[str, tuple[str | int, ...]] | None = None


def expectations_of(contract: Contract) -> list[Expected]:
    """Return what the contract promises, one expectation each."""
    return [
        Expected(
            "columns",
            "the columns are those of the contract",
            "ExpectTableColumnsToMatchSet",
            {"column_set": [*(c.name for c in contract.columns), OFF_GRID_S]},
        ),
        *_types(contract),
        Expected(
            "row_count",
            "there is at least one row",
            "ExpectTableRowCountToBeBetween",
            {"min_value": 1},
        ),
        *_nulls(contract),
        Expected(
            "unique_key",
            f"no two rows share {', '.join(READINGS.key)}",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": list(READINGS.key)},
        ),
        *_ranges(contract),
        Expected(
            "cadence",
            f"every time stamp is a step of {contract.cadence_s} s",
            "ExpectColumnValuesToBeInSet",
            {"column": OFF_GRID_S, "value_set": [0]},
        ),
        Expected(
            "mask",
            "the mask is 0 or 1",
            "ExpectColumnValuesToBeInSet",
            {"column": "mask", "value_set": [0, 1]},
        ),
        Expected(
            "estimates_masked",
            "estimated and missing values are masked",
            "ExpectColumnValuesToBeInSet",
            {"column": "mask", "value_set": [0]},
            where=("quality", ("estimated", "missing")),
        ),
        Expected(
            "known_quantity",
            "every quantity is known to the contract",
            "ExpectColumnValuesToBeInSet",
            {"column": "quantity", "value_set": list(contract.quantities)},
        ),
        Expected(
            "missing_share",
            f"at most {contract.max_missing_share:.0%} of the values are missing or estimated",
            "ExpectColumnMeanToBeBetween",
            {"column": "mask", "min_value": 1.0 - contract.max_missing_share},
            severity="WARN",
        ),
    ]


def _types(contract: Contract) -> list[Expected]:
    return [
        Expected(
            f"type_{column.name}",
            f"`{column.name}` is of type {column.type}",
            "ExpectColumnValuesToBeOfType",
            {"column": column.name, "type_": _PANDAS_TYPES[column.type]},
        )
        for column in contract.columns
        # A column of nulls only has no type in pandas; its polars type is checked per batch.
        if column.nulls != "allowed"
    ]


def _nulls(contract: Contract) -> list[Expected]:
    where_usable = ("mask", (1,))
    return [
        Expected(
            f"not_null_{column.name}",
            f"`{column.name}` is not null"
            + (" where mask is 1" if column.nulls == "where_masked" else ""),
            "ExpectColumnValuesToNotBeNull",
            {"column": column.name},
            where=where_usable if column.nulls == "where_masked" else None,
        )
        for column in contract.columns
        if column.nulls != "allowed"
    ]


def _ranges(contract: Contract) -> list[Expected]:
    return [
        Expected(
            f"range_{quantity}",
            f"{quantity} lies between {allowed.min:g} and {allowed.max:g} {allowed.unit}",
            "ExpectColumnValuesToBeBetween",
            {"column": "value_si", "min_value": allowed.min, "max_value": allowed.max},
            where=("quantity", (quantity,)),
        )
        for quantity, allowed in contract.quantities.items()
    ]
