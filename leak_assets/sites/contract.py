"""The data contract of validated telemetry: a versioned YAML file, its hash, its violations.

Loading and comparing belong here; which check blocks what is decided by the asset checks.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leak_assets.errors import InputError
from leak_assets.units import SI_UNITS

DEFAULT_CONTRACT = Path(__file__).parent / "contracts" / "readings.yaml"

POLARS_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "string": pl.String,
    "float32": pl.Float32,
    "float64": pl.Float64,
    "int8": pl.Int8,
    "int32": pl.Int32,
    "int64": pl.Int64,
    "boolean": pl.Boolean,
    "date": pl.Date,
    "timestamp_us_utc": pl.Datetime("us", "UTC"),
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ContractColumn(_Strict):
    """One column that must be there, its type and where it may be null."""

    name: str
    type: str
    unit: str = ""
    nulls: Literal["never", "where_masked", "allowed"] = "never"

    @model_validator(mode="after")
    def _type_is_known(self) -> "ContractColumn":
        if self.type not in POLARS_TYPES:
            raise ValueError(f"type `{self.type}` is none of {', '.join(POLARS_TYPES)}")
        return self


class Range(_Strict):
    """Physically possible values of a quantity in its SI unit."""

    unit: str
    min: float
    max: float


class Contract(_Strict):
    """What validated telemetry of one network looks like."""

    version: str
    table: str
    source_timezone: str
    cadence_s: int = Field(gt=0)
    max_interpolated_steps: int = Field(ge=0)
    outlier_sigma: float = Field(gt=0)
    max_missing_share: float = Field(ge=0, le=1)
    columns: tuple[ContractColumn, ...]
    quantities: dict[str, Range]

    @model_validator(mode="after")
    def _fits_the_platform(self) -> "Contract":
        if self.source_timezone not in available_timezones():
            raise ValueError(f"source_timezone `{self.source_timezone}` is no IANA time zone")
        if 86_400 % self.cadence_s:
            raise ValueError(f"cadence_s {self.cadence_s} does not divide a day")
        if set(self.quantities) != set(SI_UNITS):
            raise ValueError(f"quantities must be {', '.join(SI_UNITS)}")
        for quantity, allowed in self.quantities.items():
            if allowed.unit != SI_UNITS[quantity]:
                raise ValueError(f"quantities.{quantity}.unit must be `{SI_UNITS[quantity]}`")
            if allowed.min >= allowed.max:
                raise ValueError(f"quantities.{quantity}.min must be below its max")
        return self

    @cached_property
    def sha256(self) -> str:
        """Hash of the contract's content; comments and layout of the file do not change it."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Violation:
    """One way in which a frame breaks the contract."""

    column: str
    expected: str
    observed: str

    def __str__(self) -> str:
        return f"column `{self.column}`: expected {self.expected}, found {self.observed}"


def load_contract(path: Path | None = None) -> Contract:
    """Read a contract; the packaged one of `telemetry.readings` without a path.

    Raises
    ------
    InputError
        If the file is missing, is no YAML mapping, or has an unknown, missing or wrong key; the
        key and the file are named.
    """
    path = path or DEFAULT_CONTRACT
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the contract cannot be read ({error.__class__.__name__})",
            remedy="Name a readable contract file",
            file=path,
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            "the contract is no valid YAML",
            remedy="Mend the syntax at this place",
            file=path,
            row=None if mark is None else mark.line + 1,
        ) from error
    if not isinstance(content, dict):
        raise InputError(
            "the contract is no mapping of keys to values",
            remedy=f"Compare with {DEFAULT_CONTRACT.name} of the package",
            file=path,
        )
    try:
        return Contract.model_validate(content)
    except ValidationError as error:
        raise _as_input_error(error, path) from error


def _as_input_error(error: ValidationError, path: Path) -> InputError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return InputError(
            f"key `{key}` is unknown",
            remedy=f"Remove it; the keys are {', '.join(Contract.model_fields)}",
            file=path,
        )
    if first["type"] == "missing":
        return InputError(f"key `{key}` is missing", remedy="Add it", file=path)
    problem = first["msg"].removeprefix("Value error, ")
    return InputError(
        f"key `{key}`: {problem}" if key else problem,
        remedy=f"Mend the value; the package's {DEFAULT_CONTRACT.name} is an example",
        file=path,
    )


def check_frame(frame: pl.DataFrame, contract: Contract) -> list[Violation]:
    """Return how a frame's columns, types and nulls break the contract; empty if they do not.

    Parameters
    ----------
    frame
        Rows of the contract's table, any number of them.
    contract
        The contract in use.
    """
    violations = []
    for column in contract.columns:
        if column.name not in frame.columns:
            violations.append(Violation(column.name, f"a column of type {column.type}", "none"))
            continue
        observed = frame.schema[column.name]
        if observed != POLARS_TYPES[column.type]:
            violations.append(Violation(column.name, column.type, _type_name(observed)))
        nulls = _forbidden_nulls(frame, column)
        if nulls:
            policy = "no null" if column.nulls == "never" else "null only where mask is 0"
            violations.append(Violation(column.name, policy, f"{nulls} nulls"))
    known = {column.name for column in contract.columns}
    violations += [
        Violation(name, "no such column", _type_name(frame.schema[name]))
        for name in frame.columns
        if name not in known
    ]
    return violations


def _forbidden_nulls(frame: pl.DataFrame, column: ContractColumn) -> int:
    values = frame.get_column(column.name)
    if column.nulls == "allowed":
        return 0
    if column.nulls == "where_masked" and "mask" in frame.columns:
        return int((values.is_null() & (frame.get_column("mask") == 1)).sum())
    return values.null_count()


def _type_name(dtype: pl.DataType) -> str:
    return next((name for name, known in POLARS_TYPES.items() if dtype == known), str(dtype))
