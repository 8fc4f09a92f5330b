"""Great Expectations over a partition of a table with a contract: the check and its page.

Only the adapter to the library belongs here; what is expected is in `expectations`. Importing
the library takes some 3 s and 250 MiB, so it happens inside the function.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.sites.contract import Contract
from leak_assets.system.documents import plain
from leak_assets.warehouse.contract import SAMPLE_ROWS, Severity, TableContract

from .checks import sample_rows
from .expectations import OFF_GRID_S, Expected, expectations_of
from .expectations_page import write_page

_LEVELS = {"ERROR": "critical", "WARN": "warning"}


@dataclass(frozen=True)
class GxResult:
    """One evaluated expectation."""

    name: str
    text: str
    severity: Severity
    passed: bool
    observed: str
    # Set where the expectation could not be evaluated, which says nothing about the data.
    crash: str
    sample: list[dict[str, Any]]

    @property
    def message(self) -> str:
        """The result in one line."""
        if self.crash:
            return f"{self.name}: could not be evaluated ({self.crash})"
        return f"{self.name}: expected that {self.text}; found {self.observed}"


@dataclass(frozen=True)
class GxOutcome:
    """Result of the suite.

    Parameters
    ----------
    passed
        No expectation of severity `ERROR` failed and none crashed.
    failures
        Failed expectations that block.
    warnings
        Failed expectations that do not.
    statistics
        Counts: `evaluated`, `successful`, `failed`, `warned`, `crashed`, `rows`.
    page
        The HTML page.
    """

    passed: bool
    failures: list[GxResult]
    warnings: list[GxResult]
    statistics: dict[str, int]
    page: Path


def validate_with_gx(
    frame: pl.DataFrame, contract: TableContract, *, page: Path, title: str = "Readings"
) -> GxOutcome:
    """Evaluate the contract's expectations and write one self-contained HTML page.

    Parameters
    ----------
    frame
        Rows of the contract's table, e.g. of one day and network.
    contract
        The contract in use.
    page
        Where the page goes; written beside it and moved into place.
    title
        Heading of the page, e.g. network and day.

    Notes
    -----
    An expectation that crashes (a column is missing) looks like a failed one in the library's
    result; here it is told apart and always blocks. Nothing is sent anywhere.
    """
    seen = _with_grid_column(frame, contract.cadence_s) if isinstance(contract, Contract) else frame
    results = _evaluate(seen, expectations_of(contract), contract.schema_.key)
    bad = [r for r in results if not r.passed]
    failures = [r for r in bad if r.severity == "ERROR" or r.crash]
    warnings = [r for r in bad if r not in failures]
    statistics = {
        "evaluated": len(results),
        "successful": len(results) - len(bad),
        "failed": len(failures),
        "warned": len(warnings),
        "crashed": sum(bool(r.crash) for r in bad),
        "rows": frame.height,
    }
    write_page(page, title=title, results=results, statistics=statistics, contract=contract)
    return GxOutcome(not failures, failures, warnings, statistics, page)


def _evaluate(
    frame: pl.DataFrame, expected: list[Expected], table_key: Sequence[str]
) -> list[GxResult]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the library is imported
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas("readings")
        .add_dataframe_asset("readings")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": frame.to_pandas()})
    )
    suite = gx.ExpectationSuite(
        name="readings", expectations=[_expectation(gx.expectations, e) for e in expected]
    )
    key = [c for c in table_key if c in frame.columns and c != "network"]
    report = batch.validate(
        suite,
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": key,
            "partial_unexpected_count": SAMPLE_ROWS,
        },
    )
    # The library answers in an order of its own.
    found = {r.expectation_config.meta["name"]: r for r in report.results if r.expectation_config}
    return [_result(e, found[e.name], frame) for e in expected]


def _with_grid_column(frame: pl.DataFrame, cadence_s: int) -> pl.DataFrame:
    dtype = frame.schema.get("ts_utc")
    if not isinstance(dtype, pl.Datetime):
        return frame
    off_us = pl.col("ts_utc").dt.epoch("us") % (cadence_s * 1_000_000)
    return frame.with_columns((off_us / 1e6).alias(OFF_GRID_S))


def _expectation(library: Any, expected: Expected) -> Any:
    from great_expectations.expectations.row_conditions import Column

    condition = {}
    if expected.where:
        chosen = [Column(name).is_in(values) for name, values in expected.where.items()]
        condition["row_condition"] = reduce(and_, chosen)
    return getattr(library, expected.kind)(
        **expected.arguments,
        **condition,
        severity=_LEVELS[expected.severity],
        meta={"name": expected.name},
    )


def _result(expected: Expected, found: Any, frame: pl.DataFrame) -> GxResult:
    crash = _crash(found.exception_info)
    passed = bool(found.success) and not crash
    sample: list[dict[str, Any]] = []
    if not passed:
        rows = found.result.get("partial_unexpected_index_list") or []
        # Expectations about the whole table name no rows: its first ones show what it is like.
        sample = [plain(dict(row)) for row in rows] or sample_rows(frame)
    return GxResult(
        name=expected.name,
        text=expected.text,
        severity=expected.severity,
        passed=passed,
        observed="" if crash else _observed(found.result),
        crash=crash,
        sample=sample[:SAMPLE_ROWS],
    )


def _crash(info: dict[str, Any] | None) -> str:
    """Return why an expectation could not be evaluated, empty if it could.

    The library gives one record, or one per metric below a key each.
    """
    if not info:
        return ""
    records = [info] if "raised_exception" in info else list(info.values())
    raised = [r for r in records if isinstance(r, dict) and r.get("raised_exception")]
    return str(raised[0].get("exception_message", "unknown cause")).strip() if raised else ""


def _observed(result: dict[str, Any]) -> str:
    if "unexpected_count" in result:
        return f"{result['unexpected_count']} of {result.get('element_count', 0)} rows otherwise"
    value = result.get("observed_value", "")
    return f"{value:g}" if isinstance(value, float) else str(value)
