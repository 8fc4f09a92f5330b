"""Data contracts: what a table's readers rely on beyond its columns and types.

A versioned YAML file for each table; columns, types and keys come from the schema. Loading,
hashing and comparing belong here; what a failure stops is decided by who checks.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import polars as pl
from pydantic import BaseModel, ConfigDict, model_validator

from leak_assets.system.strict_yaml import read_mapping, validated

from .schemas import TABLES, Table

CONTRACTS = Path(__file__).parent / "contracts"
Severity = Literal["ERROR", "WARN"]
SAMPLE_ROWS = 5


class Strict(BaseModel):
    """A part of a contract: keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ColumnRule(Strict):
    """What a column's values must be, beyond its type.

    Parameters
    ----------
    unit
        Of the values; for people.
    min, max
        Inclusive; what lies outside is impossible, not merely unusual.
    among
        The only values that there are.
    nulls
        `where_masked`: null only where the row's `mask` is 0. By default as the schema says.
    severity
        Of this column's values, where it differs from the table's.
    """

    unit: str = ""
    min: float | None = None
    max: float | None = None
    among: tuple[str | int, ...] = ()
    nulls: Literal["", "where_masked"] = ""
    severity: Severity | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> "ColumnRule":
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min {self.min:g} must be below max {self.max:g}")
        return self


class TableContract(Strict):
    """What the rows of a table promise.

    Parameters
    ----------
    version
        Raised with each change, as semantic versions are.
    table
        Full name.
    severity
        What a violation means: `ERROR` stops what is downstream, `WARN` is told only.
    may_be_empty
        Whether a partition without rows is sound.
    columns
        Rules of columns that need more than the schema says.
    """

    version: str
    table: str
    severity: Severity = "ERROR"
    may_be_empty: bool = True
    columns: dict[str, ColumnRule] = {}

    @model_validator(mode="after")
    def _fits_the_schema(self) -> "TableContract":
        if self.table not in TABLES:
            raise ValueError(f"there is no table `{self.table}`")
        names = self.schema_.polars_schema.names()
        if unknown := [name for name in self.columns if name not in names]:
            raise ValueError(f"{self.table} has no column `{unknown[0]}`")
        return self

    @property
    def schema_(self) -> Table:
        """The table's schema."""
        return TABLES[self.table]

    # Not kept: a copy with other values would take it along.
    @property
    def sha256(self) -> str:
        """Hash of the contract's content; comments and layout of the file do not change it."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def severity_of(self, column: str) -> Severity:
        """Return what a violation by a column's values means."""
        rule = self.columns.get(column)
        return (rule.severity if rule else None) or self.severity


@dataclass(frozen=True)
class Violation:
    """One way in which a frame breaks its contract."""

    column: str
    expected: str
    observed: str
    severity: Severity = "ERROR"

    def __str__(self) -> str:
        return f"column `{self.column}`: expected {self.expected}, found {self.observed}"


ContractT = TypeVar("ContractT", bound=TableContract)


def read_contract(path: Path, kind: type[ContractT], example: Path | None = None) -> ContractT:
    """Read a contract file.

    Raises
    ------
    InputError
        The file is missing, is no YAML mapping, or has an unknown, missing or wrong key; key and
        file are named.
    """
    like = (example or path).name
    content, text = read_mapping(path, "contract", remedy=f"Compare with {like} of the package")
    remedy = f"Mend the value; the package's {like} is an example"
    return validated(kind, content, file=path, text=text, remedy=remedy)


@cache
def contract_of(table: str) -> TableContract | None:
    """Return the packaged contract of a table; None where it has none."""
    path = CONTRACTS / f"{table}.yaml"
    return read_contract(path, TableContract) if path.is_file() else None


def contracted_tables() -> tuple[str, ...]:
    """Return the tables with a packaged contract, by name."""
    return tuple(sorted(path.stem for path in CONTRACTS.glob("*.yaml")))


def check_frame(frame: pl.DataFrame, contract: TableContract) -> list[Violation]:
    """Return how a frame's columns, types and nulls break the contract; empty if they do not.

    Parameters
    ----------
    frame
        Rows of the contract's table, any number of them.
    """
    violations = []
    for column in contract.schema_.columns:
        name, dtype = column.name, contract.schema_.polars_schema[column.name]
        if name not in frame.columns:
            violations.append(Violation(name, f"a column of type {dtype}", "none"))
            continue
        if frame.schema[name] != dtype:
            violations.append(Violation(name, str(dtype), str(frame.schema[name])))
        rule = contract.columns.get(name)
        values = frame.get_column(name)
        if rule and rule.nulls == "where_masked" and "mask" in frame.columns:
            if nulls := int((values.is_null() & (frame.get_column("mask") == 1)).sum()):
                violations.append(Violation(name, "null only where mask is 0", f"{nulls} nulls"))
        elif not column.nullable and values.null_count():
            violations.append(Violation(name, "no null", f"{values.null_count()} nulls"))
    known = set(contract.schema_.polars_schema.names())
    violations += [
        Violation(name, "no such column", str(frame.schema[name]))
        for name in frame.columns
        if name not in known
    ]
    return violations


def offending_rows(frame: pl.DataFrame, name: str, rule: ColumnRule) -> pl.DataFrame:
    """Return the rows whose value of a column is none that the rule allows; nulls pass."""
    value = pl.col(name)
    is_wrong = pl.lit(value=False)
    if rule.min is not None:
        is_wrong |= value < rule.min
    if rule.max is not None:
        is_wrong |= value > rule.max
    if frame.schema[name].is_float():
        is_wrong |= value.is_nan()
    if rule.among:
        is_wrong |= ~value.is_in(list(rule.among))
    return frame.filter(is_wrong & value.is_not_null())


def check_values(frame: pl.DataFrame, contract: TableContract) -> list[Violation]:
    """Return how a frame's keys and values break the contract; of a frame with all columns."""
    found: list[Violation] = []
    key = list(contract.schema_.key)
    if doubled := int(frame.select(pl.struct(key).is_duplicated().sum()).item()):
        found.append(Violation(", ".join(key), "no row twice", f"{doubled} rows share a key",
                               contract.severity))  # fmt: skip
    found += check_rules(frame, contract)
    if frame.is_empty() and not contract.may_be_empty:
        found.append(Violation("", "at least one row", "none", contract.severity))
    return found


def check_rules(frame: pl.DataFrame, contract: TableContract) -> list[Violation]:
    """Return how values of single columns break the contract; of a frame with all columns."""
    found = []
    for name, rule in contract.columns.items():
        rows = offending_rows(frame, name, rule)
        if not rows.is_empty():
            found.append(
                Violation(
                    name, said(rule), f"{rows.height} rows otherwise, e.g. {rows[name][0]}",
                    contract.severity_of(name),
                )
            )  # fmt: skip
    return found


def said(rule: ColumnRule) -> str:
    """Return a rule about values in words."""
    if rule.among:
        return f"one of {', '.join(map(str, rule.among))}"
    ends = [f"at least {rule.min:g}"] if rule.min is not None else []
    ends += [f"at most {rule.max:g}"] if rule.max is not None else []
    return " and ".join(ends or ["a number"]) + (f" {rule.unit}" if rule.unit else "")
