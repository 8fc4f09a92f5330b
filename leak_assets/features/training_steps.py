"""The features room's step for scenario runs: the same residuals and windows, with labels.

Each batch is a town of its own: its leak-free reference run calibrates the twin for all its
scenarios, as the reference days of a real town do.
"""

from collections.abc import Sequence
from functools import partial

import polars as pl

from leak_assets.hydraulics.twin.channels import Channels, twin_of
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.sites.provenance import Provenance
from leak_assets.system.processes import fan_out
from leak_assets.telemetry.long_wide import to_wide
from leak_assets.warehouse import Warehouse, Written
from leak_assets.warehouse.schemas.features import TRAINING_RESIDUALS, TRAINING_WINDOWS

from .scaler import WindowScaler
from .windows import training_windows, window_features

TRAINING_CODE_VERSION = "1"
TRAINING_TABLES = ("features.training_residuals", "features.training_windows")
_MEASURED = ("pressure", "flow", "level", "demand")


def write_training_features(
    ctx: StepContext, network: str, batches: Sequence[str]
) -> list[Written]:
    """Write residuals and labelled windows of scenario batches.

    A batch that stands there already, made from the same runs with the same network model and
    sensor layout by the same code, is kept.

    Raises
    ------
    MissingInputError
        If a batch was not simulated.
    """
    run = partial(_write_batch, ctx.settings, ctx.warehouse.run_id, network)
    written: list[Written] = []
    for number, (batch, partitions) in enumerate(fan_out(run, batches), 1):
        ctx.progress(f"features of batch {batch} ({number} of {len(batches)})")
        written += partitions
    return written


def _write_batch(settings: Settings, run_id: str, network: str, batch: str) -> list[Written]:
    ctx = StepContext(Warehouse.from_settings(settings, run_id=run_id), settings)
    partition = {"batch": batch, "network": network}
    remedy = f"Materialize simulation/telemetry of {batch} first"
    sources = ("simulation.scenarios", "simulation.telemetry", "simulation.leak_truth")
    inputs = [i for table in sources if (i := ctx.warehouse.as_input(table, partition))]
    # The twin is made of the model and the layout: other sensors are other channels.
    inputs += Provenance.of(ctx.network(network), ctx.layout(network)).inputs()
    standing = [
        kept
        for table in TRAINING_TABLES
        if (kept := ctx.warehouse.up_to_date(table, partition, inputs, TRAINING_CODE_VERSION))
    ]
    if len(standing) == len(TRAINING_TABLES):
        return standing
    scenarios, telemetry, leak_truth = (
        ctx.warehouse.require(table, partition, remedy=remedy) for table in sources
    )
    residuals, references = _residuals(ctx, network, scenarios, telemetry)
    frames = dict(
        zip(
            TRAINING_TABLES,
            (residuals, _windows(network, residuals, references, leak_truth)),
            strict=True,
        )
    )
    return [
        ctx.warehouse.write(
            table, partition, frame, inputs=inputs, code_version=TRAINING_CODE_VERSION
        )
        for table, frame in frames.items()
    ]


def _residuals(
    ctx: StepContext, network: str, scenarios: pl.DataFrame, telemetry: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the residuals of all scenarios but the reference run, and those of that run."""
    layout = ctx.layout(network)
    twin = twin_of(ctx.network(network), layout)
    instrumented = pl.DataFrame(
        [(s.sensor_id, s.quantity) for s in layout.sensors],
        schema=["sensor_id", "quantity"],
        orient="row",
    )
    readings = (
        telemetry.filter(pl.col("quantity").is_in(_MEASURED))
        .rename({"element_id": "sensor_id"})
        .with_columns(mask=pl.lit(1, pl.Int8))
        .join(instrumented, on=["sensor_id", "quantity"], how="semi")
        .partition_by("scenario_id", as_dict=True)
    )
    reference = scenarios.filter("is_reference").row(0, named=True)["scenario_id"]
    channels = Channels.of(twin, to_wide(readings.pop((reference,))))
    calibration = channels.calibrate()
    in_sample = channels.residuals(network, calibration)
    frames = [
        Channels.of(twin, to_wide(frame))
        .residuals(network, calibration)
        .with_columns(scenario_id=pl.lit(scenario), batch=pl.lit(scenarios["batch"][0]))
        for (scenario,), frame in sorted(readings.items())
    ]
    names = TRAINING_RESIDUALS.polars_schema.names()
    return pl.concat(frames).select(names), in_sample


def _windows(
    network: str, residuals: pl.DataFrame, reference: pl.DataFrame, leak_truth: pl.DataFrame
) -> pl.DataFrame:
    scaler = WindowScaler().fit(window_features(reference, network=network))
    frame = training_windows(residuals, leak_truth, scaler=scaler)
    return frame.select(TRAINING_WINDOWS.polars_schema.names())
