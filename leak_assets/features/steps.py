"""The features room's steps for telemetry: calibration, residuals, windows, day by day.

Only the order of reading, calling and writing belongs here. Scenario runs have steps of their
own in `training_steps`, which call the same functions.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.context import StepContext, day_partition
from leak_assets.telemetry.frames import to_wide
from leak_assets.telemetry.reference import reference_days
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas.features import CALIBRATIONS, RESIDUALS, WINDOW_REFERENCES

from .calibration import Calibration
from .channels import Channels, twin_of
from .grid import WindowSpec
from .scaler import WindowScaler
from .windows import window_features

CALIBRATIONS_CODE_VERSION = "1"
RESIDUALS_CODE_VERSION = "1"
WINDOWS_CODE_VERSION = "1"
SPEC = WindowSpec()
LEAD_IN = timedelta(hours=2)


def write_calibrations(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Write the twin's correction in force on each day that has readings.

    A day's correction comes from reference days before it; until those are over the day has none
    and the network is learning.
    """
    reference = reference_days(ctx, network)
    fitted: _Fitted | None = None
    written: list[Written] = []
    for day in days:
        partition = day_partition(day, network)
        if ctx.warehouse.record("telemetry.readings", partition) is None:
            continue
        if not reference or day <= reference[-1]:
            frames, inputs = _learning(), []
        else:
            fitted = fitted or _fit(ctx, network, reference)
            frames, inputs = fitted.frames(network, day), fitted.inputs
        written += [
            ctx.warehouse.write(
                table, partition, frame, inputs=inputs, code_version=CALIBRATIONS_CODE_VERSION
            )
            for table, frame in frames.items()
        ]
    return written


class _Fitted:
    """The calibration of the reference days, and what it was made from."""

    def __init__(
        self,
        calibration: Calibration,
        scaler: WindowScaler,
        reference: Sequence[date],
        inputs: list[Input],
    ) -> None:
        self.calibration, self.scaler = calibration, scaler
        self.reference, self.inputs = reference, inputs

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


def _fit(ctx: StepContext, network: str, reference: Sequence[date]) -> _Fitted:
    ctx.tell(f"calibrating the twin of {network} on {reference[0]} to {reference[-1]}")
    partitions = [day_partition(day, network) for day in reference]
    readings = pl.concat(
        ctx.warehouse.require("telemetry.readings", p, remedy="Ingest the reference days")
        for p in partitions
    )
    channels = _observe(ctx, network, readings)
    calibration = channels.calibrate()
    in_sample = channels.residuals(network, calibration)
    scaler = WindowScaler().fit(window_features(in_sample, SPEC))
    inputs = [
        source
        for p in partitions
        if (source := ctx.warehouse.as_input("telemetry.readings", p)) is not None
    ]
    return _Fitted(calibration, scaler, reference, [*inputs, _model_file(ctx, network)])


def write_residuals(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Write measured minus expected of each day; no rows while the network is learning."""
    written: list[Written] = []
    for day in days:
        partition = day_partition(day, network)
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
                inputs=[
                    *_inputs(ctx, _day_before(day, network), "telemetry.readings"),
                    *_inputs(ctx, partition, "telemetry.readings", "features.calibrations"),
                ],
                code_version=RESIDUALS_CODE_VERSION,
            )
        )
    return written


def write_windows(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Write the features of all windows whose last step falls in each day."""
    written: list[Written] = []
    for day in days:
        partition = day_partition(day, network)
        references = ctx.warehouse.read("features.window_references", partition)
        frame, inputs = residuals_with_context(ctx, network, day)
        if references is None or frame is None:
            continue
        features = window_features(frame, SPEC, day=day, network=network)
        scaler = WindowScaler.from_reference(references.drop("network"))
        written.append(
            ctx.warehouse.write(
                "features.windows",
                partition,
                scaler.transform(features),
                inputs=[*inputs, *_inputs(ctx, partition, "features.window_references")],
                code_version=WINDOWS_CODE_VERSION,
            )
        )
    return written


def residuals_with_context(
    ctx: StepContext, network: str, day: date
) -> tuple[pl.DataFrame | None, list[Input]]:
    """Return the residuals of a day after those of the day before, and both as inputs.

    None where the day itself has no residuals yet.
    """
    partition = day_partition(day, network)
    today = ctx.warehouse.read("features.residuals", partition)
    if today is None:
        return None, []
    before_partition = _day_before(day, network)
    before = ctx.warehouse.read("features.residuals", before_partition)
    frames = [today] if before is None else [before, today]
    return pl.concat(frames), [
        *_inputs(ctx, before_partition, "features.residuals"),
        *_inputs(ctx, partition, "features.residuals"),
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


def _model_file(ctx: StepContext, network: str) -> Input:
    entry = ctx.network(network)
    return Input("network", entry.inp_path.name, network, entry.sha256)
