"""Policy for all assets, applied once at the root: who owns them, what they are, their columns."""

from datetime import timedelta

import dagster as dg

from leak_assets.warehouse.schemas import TABLES, Table
from leak_assets.warehouse.schemas.table import UTC_US

OWNERS = ["team:leak-engineering"]

_KINDS = {
    "network": {"wntr"},
    "simulation": {"epanet"},
    "telemetry": {"polars"},
    "features": {"polars"},
    "models": {"pytorch"},
    "detection": {"onnx"},
    "incidents": {"polars"},
    "water": {"polars"},
    "plant": {"polars"},
    "household": {"polars"},
}


# How old the newest partition of a table may get. Exports come once a day and wait for their run:
# a day and a half without readings is a source that is silent, not a slow one.
_LATE, _TOO_LATE = timedelta(hours=26), timedelta(hours=36)
_FRESHNESS = {
    name: dg.FreshnessPolicy.time_window(fail_window=_TOO_LATE, warn_window=_LATE)
    for name in ("telemetry.readings", "detection.hypotheses", "incidents.incident_events")
}


def apply_policy(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Return `spec` with group, kinds, owners, description and columns of its table."""
    table = TABLES[".".join(spec.key.path)]
    return spec.replace_attributes(
        description=_description(table),
        group_name=table.schema,
        owners=OWNERS,
        kinds={"duckdb", "parquet", *_KINDS[table.schema], *spec.kinds},
        freshness_policy=_FRESHNESS.get(table.full_name),
    ).merge_attributes(
        metadata={
            "dagster/table_name": table.full_name,
            "dagster/column_schema": dg.TableSchema(
                [
                    dg.TableColumn(
                        column.name,
                        "timestamp" if column.dtype == UTC_US else str(column.dtype).lower(),
                        column.description,
                        dg.TableColumnConstraints(nullable=column.nullable),
                    )
                    for column in table.columns
                ]
            ),
        }
    )


def _description(table: Table) -> str:
    grain = " × ".join(table.partition_by) or "none"
    return (
        f"{table.row}\n\nKey: {', '.join(table.key)}. Partition in the lake: {grain}."
        f" SQL: `SELECT * FROM {table.full_name}`"
    )
