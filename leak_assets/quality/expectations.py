"""The contract as expectations, independent of the library that evaluates them.

What is expected and how bad a failure is stands here; evaluating is `great_expectations_suite`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leak_assets.sites.contract import Contract
from leak_assets.warehouse.contract import ColumnRule, Severity, TableContract, said

# Column that the adapter adds: seconds since the last step of the grid.
OFF_GRID_S = "seconds_off_grid"

_PANDAS_TYPES = {
    "String": "str",
    "Float32": "float32",
    "Float64": "float64",
    "Int8": "int8",
    "Int32": "int32",
    "Int64": "int64",
    "Boolean": "bool",
    "Date": "date",
    "Datetime": "Timestamp",
}


@dataclass(frozen=True)
class Expected:
    """One expectation: its name, what it says, and how Great Expectations calls it."""

    name: str
    text: str
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: Severity = "ERROR"
    # Rows it is about: columns and the values that each has there; none = all.
    where: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)


def expectations_of(contract: TableContract) -> list[Expected]:
    """Return what a contract promises, one expectation each."""
    table = contract.schema_
    names = [column.name for column in table.columns]
    of_readings = isinstance(contract, Contract)
    found = [
        Expected(
            "columns",
            "the columns are those of the schema",
            "ExpectTableColumnsToMatchSet",
            {"column_set": [*names, *([OFF_GRID_S] if of_readings else [])]},
            contract.severity,
        ),
        *_types(contract),
        *_nulls(contract),
        Expected(
            "unique_key",
            f"no two rows share {', '.join(table.key)}",
            "ExpectCompoundColumnsToBeUnique",
            {"column_list": list(table.key)},
            contract.severity,
        ),
        *_rules(contract),
    ]
    if not contract.may_be_empty:
        found.append(
            Expected(
                "row_count",
                "there is at least one row",
                "ExpectTableRowCountToBeBetween",
                {"min_value": 1},
                contract.severity,
            )
        )
    return [*found, *_of_readings(contract)] if isinstance(contract, Contract) else found


def _types(contract: TableContract) -> list[Expected]:
    return [
        Expected(
            f"type_{column.name}",
            f"`{column.name}` is of type {contract.schema_.polars_schema[column.name]}",
            "ExpectColumnValuesToBeOfType",
            {
                "column": column.name,
                "type_": _PANDAS_TYPES[
                    str(contract.schema_.polars_schema[column.name].base_type())
                ],
            },
            contract.severity,
        )
        for column in contract.schema_.columns
        # A column with nulls may have another type in pandas; its polars type is checked per batch.
        if not column.nullable or contract.columns.get(column.name, ColumnRule()).nulls
    ]


def _nulls(contract: TableContract) -> list[Expected]:
    found = []
    for column in contract.schema_.columns:
        where_masked = contract.columns.get(column.name, ColumnRule()).nulls == "where_masked"
        if where_masked or not column.nullable:
            found.append(
                Expected(
                    f"not_null_{column.name}",
                    f"`{column.name}` is not null" + (" where mask is 1" if where_masked else ""),
                    "ExpectColumnValuesToNotBeNull",
                    {"column": column.name},
                    contract.severity,
                    where={"mask": (1,)} if where_masked else {},
                )
            )
    return found


def _rules(contract: TableContract) -> list[Expected]:
    found = []
    for name, rule in contract.columns.items():
        severity = contract.severity_of(name)
        if rule.among:
            found.append(
                Expected(
                    f"values_{name}",
                    f"`{name}` is {said(rule)}",
                    "ExpectColumnValuesToBeInSet",
                    {"column": name, "value_set": list(rule.among)},
                    severity,
                )
            )
        elif rule.min is not None or rule.max is not None:
            found.append(
                Expected(
                    f"range_{name}",
                    f"`{name}` is {said(rule)}",
                    "ExpectColumnValuesToBeBetween",
                    {"column": name, "min_value": rule.min, "max_value": rule.max},
                    severity,
                )
            )
    return found


def _of_readings(contract: Contract) -> list[Expected]:
    """Return what only readings promise: ranges of quantities, the grid, masks, completeness."""
    return [
        *(
            Expected(
                f"range_{quantity}",
                f"{quantity} lies between {allowed.min:g} and {allowed.max:g} {allowed.unit}"
                " where mask is 1",
                "ExpectColumnValuesToBeBetween",
                {"column": "value_si", "min_value": allowed.min, "max_value": allowed.max},
                where={"quantity": (quantity,), "mask": (1,)},
            )
            for quantity, allowed in contract.quantities.items()
        ),
        Expected(
            "cadence",
            f"every time stamp is a step of {contract.cadence_s} s",
            "ExpectColumnValuesToBeInSet",
            {"column": OFF_GRID_S, "value_set": [0]},
        ),
        Expected(
            "estimates_masked",
            "estimated and missing values are masked",
            "ExpectColumnValuesToBeInSet",
            {"column": "mask", "value_set": [0]},
            where={"quality": ("estimated", "missing")},
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
