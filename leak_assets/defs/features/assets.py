"""Assets of the features: calibration, residuals and windows of telemetry and of scenarios."""

from collections.abc import Iterator

import dagster as dg

from leak_assets.defs.partitions import (
    BATCH_NETWORK,
    DAY_NETWORK,
    SAME_AND_PREVIOUS_DAY,
    SINGLE_RUN,
    batches_by_network,
    days_by_network,
)
from leak_assets.defs.policy import table_specs
from leak_assets.defs.publish import for_all_days, publish
from leak_assets.defs.resources import Platform
from leak_assets.features.steps import (
    CALIBRATIONS_CODE_VERSION,
    RESIDUALS_CODE_VERSION,
    WINDOWS_CODE_VERSION,
    learning_state,
    write_calibrations,
    write_residuals,
    write_windows,
)
from leak_assets.features.training_steps import (
    TRAINING_CODE_VERSION,
    TRAINING_TABLES,
    write_training_features,
)

CALIBRATIONS = ("features.calibrations", "features.window_references")
RESIDUALS = ("features.residuals",)
WINDOWS = ("features.windows",)


@dg.multi_asset(
    name="calibrations",
    specs=table_specs(
        CALIBRATIONS,
        deps=[["telemetry", "readings"]],
        partitions_def=DAY_NETWORK,
        code_version=CALIBRATIONS_CODE_VERSION,
    ),
    backfill_policy=SINGLE_RUN,
)
def calibrations(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """The twin's correction in force on each day, learned on leak-free days before it."""
    written = for_all_days(context, platform, write_calibrations)
    learning = {
        network: state
        for network, days in days_by_network(context).items()
        if (state := learning_state(platform.of(context), network, days))
    }
    yield from publish(context, CALIBRATIONS, written, metadata=learning)


@dg.multi_asset(
    name="residuals",
    specs=table_specs(
        RESIDUALS,
        deps=[
            dg.AssetDep(["telemetry", "readings"], partition_mapping=SAME_AND_PREVIOUS_DAY),
            ["features", "calibrations"],
        ],
        partitions_def=DAY_NETWORK,
        code_version=RESIDUALS_CODE_VERSION,
        kinds={"epanet"},
    ),
    backfill_policy=SINGLE_RUN,
)
def residuals(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """Measured minus what the calibrated twin expects."""
    written = for_all_days(context, platform, write_residuals)
    yield from publish(context, RESIDUALS, written)


@dg.multi_asset(
    name="windows",
    specs=table_specs(
        WINDOWS,
        deps=[
            dg.AssetDep(["features", "residuals"], partition_mapping=SAME_AND_PREVIOUS_DAY),
            ["features", "window_references"],
        ],
        partitions_def=DAY_NETWORK,
        code_version=WINDOWS_CODE_VERSION,
    ),
    backfill_policy=SINGLE_RUN,
)
def windows(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """Three hours of a channel in fifteen numbers, every half hour."""
    written = for_all_days(context, platform, write_windows)
    yield from publish(context, WINDOWS, written)


@dg.multi_asset(
    name="training_features",
    specs=table_specs(
        TRAINING_TABLES,
        deps=[["simulation", "telemetry"], ["simulation", "leak_truth"]],
        partitions_def=BATCH_NETWORK,
        code_version=TRAINING_CODE_VERSION,
    ),
    backfill_policy=SINGLE_RUN,
)
def training_features(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """Scenario runs seen through their town's calibrated twin, windowed and labelled."""
    ctx = platform.of(context)
    written = [
        item
        for network, batches in batches_by_network(context).items()
        for item in write_training_features(ctx, network, batches)
    ]
    yield from publish(context, TRAINING_TABLES, written)
