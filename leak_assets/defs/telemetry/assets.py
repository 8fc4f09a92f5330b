"""Assets of the telemetry: landed files as raw and as validated readings."""

from collections.abc import Iterator

import dagster as dg

from leak_assets.defs.partitions import DAY_NETWORK, SINGLE_RUN
from leak_assets.defs.policy import table_specs
from leak_assets.defs.publish import for_all_days, publish
from leak_assets.defs.resources import Platform
from leak_assets.telemetry.steps import (
    RAW_CODE_VERSION,
    READINGS_CODE_VERSION,
    write_raw_readings,
    write_readings,
)

RAW = ("telemetry.raw_readings", "telemetry.quarantine", "telemetry.ingest_ledger")
READINGS = ("telemetry.readings", "telemetry.gaps")


@dg.multi_asset(
    name="raw_readings",
    specs=table_specs(
        RAW, partitions_def=DAY_NETWORK, code_version=RAW_CODE_VERSION, kinds={"file"}
    ),
    backfill_policy=SINGLE_RUN,
)
def raw_readings(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """New files of the landing zone, merged into the raw log of their days."""
    yield from publish(context, RAW, for_all_days(context, platform, write_raw_readings))


@dg.multi_asset(
    name="readings",
    specs=table_specs(
        READINGS,
        deps=[["telemetry", "raw_readings"]],
        partitions_def=DAY_NETWORK,
        code_version=READINGS_CODE_VERSION,
    ),
    backfill_policy=SINGLE_RUN,
)
def readings(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """Raw readings brought to SI units and one grid, checked against the contract."""
    yield from publish(context, READINGS, for_all_days(context, platform, write_readings))
