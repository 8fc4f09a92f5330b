"""From what a step wrote to what Dagster shows: rows, versions, times and pictures."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from leak_assets.warehouse import Written
from leak_assets.warehouse.record import combined_hash

from .partitions import dagster_key

# Pictures live in the event log; larger ones would slow down the pages that list events.
LARGEST_PLOT_BYTES = 200_000


def publish(
    context: dg.AssetExecutionContext,
    tables: Sequence[str],
    written: Sequence[Written],
    *,
    metadata: Mapping[str, Any] | None = None,
    plots: Mapping[str, bytes] | None = None,
) -> Iterator[dg.MaterializeResult]:
    """Yield one result for each table, with the metadata of each of its partitions.

    Parameters
    ----------
    tables
        Full names of the tables that the asset makes.
    written
        What its step wrote, in any order.
    metadata
        Further entries for every table.
    plots
        PNG pictures by title, shown with the first table.
    """
    keys = list(context.partition_keys) if context.has_partition_key_range else []
    for number, table in enumerate(tables):
        asset_key = dg.AssetKey(table.split("."))
        mine = [w for w in written if w.record.table == table]
        totals: dict[str, Any] = {
            "dagster/row_count": sum(w.record.rows for w in mine),
            "partitions": len(mine),
            "changed_partitions": sum(w.changed for w in mine),
            **_time_range(mine),
            **(metadata or {}),
        }
        if number == 0:
            totals |= {title: picture(png) for title, png in (plots or {}).items()}
        for item in mine:
            values = dict(part.split("=", 1) for part in item.record.partition.split("__"))
            key = dagster_key(values, keys)
            if key is not None and len(keys) > 1:
                context.add_asset_metadata(
                    {
                        "dagster/row_count": item.record.rows,
                        "lake_data_version": item.record.data_version,
                        **_time_range([item]),
                    },
                    asset_key=asset_key,
                    partition_key=key,
                )
        if len(keys) > 1:
            # The same entry for a range and for one of its partitions is refused by Dagster.
            for name in ("dagster/row_count", "first_ts", "last_ts"):
                totals.pop(name, None)
            totals["rows_in_range"] = sum(w.record.rows for w in mine)
        version = combined_hash(sorted(w.record.data_version for w in mine))
        yield dg.MaterializeResult(
            asset_key=asset_key, metadata=totals, data_version=dg.DataVersion(version[:16])
        )


def _time_range(written: Sequence[Written]) -> dict[str, str]:
    first = [w.record.first_ts for w in written if w.record.first_ts]
    last = [w.record.last_ts for w in written if w.record.last_ts]
    return {"first_ts": min(first), "last_ts": max(last)} if first and last else {}


def picture(png: bytes) -> dg.MetadataValue:
    """Return a PNG as metadata that the interface shows.

    Raises
    ------
    ValueError
        It is too large for the event log.
    """
    if len(png) > LARGEST_PLOT_BYTES:
        raise ValueError(f"a plot of {len(png)} bytes is larger than {LARGEST_PLOT_BYTES}")
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(png).decode()})")
