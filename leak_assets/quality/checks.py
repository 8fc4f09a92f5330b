"""Cheap checks of validated readings, for every micro-batch: polars only, some milliseconds.

The full suite with its page is `great_expectations_suite`. Nothing here changes a frame.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from leak_assets.sites.contract import Contract
from leak_assets.system.documents import plain
from leak_assets.warehouse.contract import SAMPLE_ROWS, Severity, check_frame, check_values
from leak_assets.warehouse.schemas.telemetry import READINGS

from .reasons import MADE_UP


@dataclass(frozen=True)
class CheckOutcome:
    """Result of one check.

    Parameters
    ----------
    passed
        Whether the frame is as the contract wants it.
    severity
        What a failure means: `ERROR` blocks what is downstream, `WARN` does not.
    message
        The result in one line.
    sample
        Some of the offending rows, with values that JSON can hold.
    metadata
        Figures behind the result.
    """

    passed: bool
    severity: Severity
    message: str
    sample: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


def sample_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the first rows of a frame with values that JSON can hold."""
    return [plain(row) for row in frame.head(SAMPLE_ROWS).to_dicts()]


def check_contract(readings: pl.DataFrame, contract: Contract) -> CheckOutcome:
    """Check columns, types, null policy and values of single columns against the contract."""
    violations = check_frame(readings, contract)
    if not violations:
        violations = [v for v in check_values(readings, contract) if v.column in contract.columns]
    message = "; ".join(map(str, violations)) or "columns, types, nulls and values are as agreed"
    sample = sample_rows(readings) if violations else []
    return CheckOutcome(
        not violations,
        "ERROR",
        message,
        sample,
        {"contract_version": contract.version, "contract_sha256": contract.sha256},
    )


def check_row_count(readings: pl.DataFrame, contract: Contract) -> CheckOutcome:
    """Check that there are rows, and every sensor at every step between first and last."""
    sensors = readings.select("sensor_id", "quantity").n_unique() if readings.height else 0
    steps = 0
    if readings.height:
        first, last = readings.select(
            pl.col("ts_utc").min().alias("first"), pl.col("ts_utc").max().alias("last")
        ).row(0)
        steps = round((last - first).total_seconds() / contract.cadence_s) + 1
    expected = sensors * steps
    metadata = {"rows": readings.height, "sensors": sensors, "steps": steps}
    if not readings.height:
        return CheckOutcome(False, "ERROR", "there is no row", [], metadata)
    short = (
        readings.group_by("quantity", "sensor_id")
        .agg(pl.len().alias("rows"))
        .filter(pl.col("rows") != steps)
        .sort("quantity", "sensor_id")
    )
    return CheckOutcome(
        short.is_empty(),
        "ERROR",
        f"{readings.height} rows, {expected} expected ({sensors} sensors × {steps} steps)",
        sample_rows(short),
        metadata,
    )


def check_unique_key(readings: pl.DataFrame, _contract: Contract) -> CheckOutcome:
    """Check that no two rows share sensor, quantity and step."""
    key = list(READINGS.key)
    doubled = readings.filter(pl.struct(key).is_duplicated())
    return _of_rows(doubled, "ERROR", f"rows share the key {', '.join(key)}")


def check_cadence(readings: pl.DataFrame, contract: Contract) -> CheckOutcome:
    """Check that every time stamp is a step of the grid."""
    off = pl.col("ts_utc").dt.epoch("us") % (contract.cadence_s * 1_000_000) != 0
    return _of_rows(
        readings.filter(off), "ERROR", f"rows are off the grid of {contract.cadence_s} s"
    )


def check_range(readings: pl.DataFrame, contract: Contract) -> CheckOutcome:
    """Check that models get only possible values, and of quantities that the contract knows."""
    is_possible = pl.lit(value=False)
    for quantity, allowed in contract.quantities.items():
        is_fine = pl.col("value_si").is_between(allowed.min, allowed.max) | (pl.col("mask") == 0)
        is_possible |= (pl.col("quantity") == quantity) & is_fine
    outside = readings.filter(~is_possible)
    return _of_rows(outside, "ERROR", "values are outside the possible range and not masked")


def check_estimates_masked(readings: pl.DataFrame, _contract: Contract) -> CheckOutcome:
    """Check that no estimated or missing value can reach a model."""
    is_made_up = (pl.col("flags") & int(MADE_UP)) != 0
    return _of_rows(
        readings.filter(is_made_up & (pl.col("mask") != 0)),
        "ERROR",
        "estimated or missing values are not masked",
    )


def check_missing_share(readings: pl.DataFrame, contract: Contract) -> CheckOutcome:
    """Warn where more values are missing or estimated than the contract allows."""
    by_sensor = (
        readings.group_by("quantity", "sensor_id")
        .agg((1.0 - pl.col("mask").mean()).alias("missing_share"))
        .sort("missing_share", "quantity", "sensor_id", descending=[True, False, False])
    )
    usable = int((readings.get_column("mask") == 1).sum())
    share = 1.0 - usable / readings.height if readings.height else 0.0
    worst = by_sensor.filter(pl.col("missing_share") > contract.max_missing_share)
    return CheckOutcome(
        share <= contract.max_missing_share,
        "WARN",
        f"{share:.1%} of the values are missing, {contract.max_missing_share:.0%} are allowed;"
        f" {worst.height} sensors are above that",
        sample_rows(worst),
        {"missing_share": share, "sensors_above": worst.height},
    )


CHECKS: dict[str, Callable[[pl.DataFrame, Contract], CheckOutcome]] = {
    "contract": check_contract,
    "row_count": check_row_count,
    "unique_key": check_unique_key,
    "cadence": check_cadence,
    "range": check_range,
    "estimates_masked": check_estimates_masked,
    "missing_share": check_missing_share,
}


def run_checks(readings: pl.DataFrame, contract: Contract) -> dict[str, CheckOutcome]:
    """Return the outcome of every check; only the contract's where a frame breaks it.

    The others would stumble over a missing column or a wrong type and hide the cause.
    """
    first = check_contract(readings, contract)
    if not first.passed and _is_malformed(readings, contract):
        return {"contract": first}
    return {name: check(readings, contract) for name, check in CHECKS.items()}


def _is_malformed(readings: pl.DataFrame, contract: Contract) -> bool:
    return bool(check_frame(readings.clear(), contract))


def _of_rows(rows: pl.DataFrame, severity: Severity, what: str) -> CheckOutcome:
    return CheckOutcome(
        rows.is_empty(),
        severity,
        f"{rows.height} {what}",
        sample_rows(rows),
        {"offending_rows": rows.height},
    )
