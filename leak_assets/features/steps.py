"""The features room's steps for telemetry: calibration, residuals, windows, day by day.

Only the order of reading, calling and writing belongs here. Scenario runs have steps of their
own in `training_steps`, which call the same functions.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.hydraulics.twin.calibration import Calibration
from leak_assets.hydraulics.twin.channels import Channels, twin_of
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.telemetry.long_wide import to_wide
from leak_assets.telemetry.reference import (
    ReferencePeriod,
    reference_in_force,
    reference_inputs,
    reference_periods,
)
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas.features import CALIBRATIONS, RESIDUALS, WINDOW_REFERENCES

from .grid import WindowSpec
from .scaler import WindowScaler
from .windows import window_features

CALIBRATIONS_CODE_VERSION = "1"
RESIDUALS_CODE_VERSION = "1"
WINDOWS_CODE_VERSION = "1"
CALIBRATION_TABLES = ("features.calibrations", "features.window_references")
SPEC = WindowSpec()
LEAD_IN = timedelta(hours=2)


def write_calibrations(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Write the twin's correction in force on each day that has readings.

    A day's correction comes from the newest reference days before it; until the first are over
    the day has none and the network is learning, which is told.
    """
    periods = reference_periods(ctx, network)
    model = ctx.network_inputs(network)
    fitted: _Fitted | None = None
    written: list[Written] = []
    for day in days:
        partition = day_partition(day, network)
        if ctx.warehouse.record("telemetry.readings", partition) is None:
            continue
        reference = _in_force(ctx, network, day, periods)
        inputs = calibration_inputs(ctx, network, reference, model)
        if standing := ctx.up_to_date(
            CALIBRATION_TABLES, partition, inputs, CALIBRATIONS_CODE_VERSION
        ):
            written += standing
            continue
        if not reference:
            frames = _learning()
        else:
            if fitted is None or fitted.reference != reference:
                fitted = _fit(ctx, network, reference)
            frames = fitted.frames(network, day)
        written += [
            ctx.warehouse.write(
                table, partition, frame, inputs=inputs, code_version=CALIBRATIONS_CODE_VERSION
            )
            for table, frame in frames.items()
        ]
    if state := learning_state(ctx, network, days):
        ctx.progress(f"{network} is {state}")
    return written


def calibration_inputs(
    ctx: StepContext, network: str, reference: Sequence[date], model: Sequence[Input]
) -> list[Input]:
    """Return what a correction learned on reference days is made from; nothing if there are none.

    Parameters
    ----------
    model
        As from `StepContext.network_inputs`.
    """
    return [*reference_inputs(ctx, network, reference), *model] if reference else []


def learning_state(ctx: StepContext, network: str, days: Sequence[date]) -> str:
    """Return why the newest of some days has no correction yet, in words; empty if it has one."""
    periods = reference_periods(ctx, network)
    if not days or not periods or _in_force(ctx, network, max(days), periods):
        return ""
    return f"learning: {periods[0]}"


def _in_force(
    ctx: StepContext, network: str, day: date, periods: Sequence[ReferencePeriod]
) -> tuple[date, ...]:
    return reference_in_force(ctx, network, day, periods=periods, table=CALIBRATION_TABLES[0])


class _Fitted:
    """The calibration of the reference days, as rows of any day that it is in force on."""

    def __init__(
        self, calibration: Calibration, scaler: WindowScaler, reference: tuple[date, ...]
    ) -> None:
        self.calibration, self.scaler, self.reference = calibration, scaler, reference

    def frames(self, network: str, day: date) -> dict[str, pl.DataFrame]:
        first, last = self.reference[0], self.reference[-1]
        references = self.scaler.reference_.with_columns(network=pl.lit(network))
        return {
            "features.calibrations": self.calibration.to_frame(network, day, first, last),
            "features.window_references": references.select(
                WINDOW_REFERENCES.polars_schema.names()
            ),
        }


def _learning() -> dict[str, pl.DataFrame]:
    return {
        "features.calibrations": CALIBRATIONS.empty(),
        "features.window_references": WINDOW_REFERENCES.empty(),
    }


def _fit(ctx: StepContext, network: str, reference: tuple[date, ...]) -> _Fitted:
    ctx.progress(f"calibrating the twin of {network} on {reference[0]} to {reference[-1]}")
    partitions = [day_partition(day, network) for day in reference]
    readings = pl.concat(
        ctx.warehouse.require("telemetry.readings", p, remedy="Ingest the reference days")
        for p in partitions
    )
    channels = _observe(ctx, network, readings)
    calibration = channels.calibrate()
    in_sample = channels.residuals(network, calibration)
    scaler = WindowScaler().fit(window_features(in_sample, SPEC))
    return _Fitted(calibration, scaler, reference)


def write_residuals(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Write measured minus expected of each day; no rows while the network is learning."""
    model = ctx.network_inputs(network)
    written: list[Written] = []
    for day in days:
        partition = day_partition(day, network)
        inputs = residual_inputs(ctx, network, day, model)
        if standing := ctx.up_to_date(
            ("features.residuals",), partition, inputs, RESIDUALS_CODE_VERSION
        ):
            written += standing
            continue
        readings = ctx.warehouse.read("telemetry.readings", partition)
        calibrations = ctx.warehouse.read("features.calibrations", partition)
        if readings is None or calibrations is None:
            continue
        if calibrations.is_empty():
            frame = RESIDUALS.empty()
        else:
            calibration = Calibration.from_frame(calibrations)
            channels = _observe(ctx, network, _with_last_hours(ctx, network, day, readings))
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            frame = channels.residuals(network, calibration).filter(pl.col("ts_utc") >= midnight)
        written.append(
            ctx.warehouse.write(
                "features.residuals",
                partition,
                frame,
                inputs=inputs,
                code_version=RESIDUALS_CODE_VERSION,
            )
        )
    return written


def residual_inputs(
    ctx: StepContext, network: str, day: date, model: Sequence[Input]
) -> list[Input]:
    """Return what the residuals of a day are made from.

    Parameters
    ----------
    model
        As from `StepContext.network_inputs`.
    """
    return [
        *_inputs(ctx, _day_before(day, network), "telemetry.readings"),
        *_inputs(ctx, day_partition(day, network), "telemetry.readings", "features.calibrations"),
        *model,
    ]


def write_windows(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Write the features of all windows whose last step falls in each day."""
    written: list[Written] = []
    for day in days:
        partition = day_partition(day, network)
        inputs = window_inputs(ctx, network, day)
        if standing := ctx.up_to_date(
            ("features.windows",), partition, inputs, WINDOWS_CODE_VERSION
        ):
            written += standing
            continue
        references = ctx.warehouse.read("features.window_references", partition)
        frame = residuals_with_context(ctx, network, day)
        if references is None or frame is None:
            continue
        features = window_features(frame, SPEC, day=day, network=network)
        scaler = WindowScaler.from_reference(references.drop("network"))
        written.append(
            ctx.warehouse.write(
                "features.windows",
                partition,
                scaler.transform(features),
                inputs=inputs,
                code_version=WINDOWS_CODE_VERSION,
            )
        )
    return written


def window_inputs(ctx: StepContext, network: str, day: date) -> list[Input]:
    """Return what the windows of a day are made from."""
    return [
        *context_inputs(ctx, network, day),
        *_inputs(ctx, day_partition(day, network), "features.window_references"),
    ]


def residuals_with_context(ctx: StepContext, network: str, day: date) -> pl.DataFrame | None:
    """Return the residuals of a day after those of the day before.

    None where the day itself has no residuals yet.
    """
    today = ctx.warehouse.read("features.residuals", day_partition(day, network))
    if today is None:
        return None
    before = ctx.warehouse.read("features.residuals", _day_before(day, network))
    return today if before is None else pl.concat([before, today])


def context_inputs(ctx: StepContext, network: str, day: date) -> list[Input]:
    """Return the partitions of `residuals_with_context` as inputs of a write."""
    return [
        *_inputs(ctx, _day_before(day, network), "features.residuals"),
        *_inputs(ctx, day_partition(day, network), "features.residuals"),
    ]


def _with_last_hours(
    ctx: StepContext, network: str, day: date, readings: pl.DataFrame
) -> pl.DataFrame:
    """Put the last hours of the day before in front of a day's readings.

    What a tank stores is a difference over time, so the first hour of any frame has no balance.
    """
    before = ctx.warehouse.read("telemetry.readings", _day_before(day, network))
    if before is None:
        return readings
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return pl.concat([before.filter(pl.col("ts_utc") >= midnight - LEAD_IN), readings])


def _day_before(day: date, network: str) -> dict[str, str]:
    return day_partition(day - timedelta(days=1), network)


def _observe(ctx: StepContext, network: str, readings: pl.DataFrame) -> Channels:
    twin = twin_of(ctx.network(network), ctx.layout(network))
    return Channels.of(twin, to_wide(readings))


def _inputs(ctx: StepContext, partition: dict[str, str], *tables: str) -> list[Input]:
    found = (ctx.warehouse.as_input(table, partition) for table in tables)
    return [source for source in found if source is not None]
