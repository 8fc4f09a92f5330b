"""From what a step wrote to what Dagster shows: rows, versions, times and pictures."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from leak_assets.warehouse import Written
from leak_assets.warehouse.record import combined_hash

from .partitions import dagster_key, key_of

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
        totals = _totals(mine) | dict(metadata or {})
        if number == 0:
            totals |= {title: picture(png) for title, png in (plots or {}).items()}
        for item in mine:
            key = dagster_key(_values(item), keys)
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


def materializations(
    written: Sequence[Written], shown: Mapping[str, Mapping[str, Any]]
) -> Iterator[dg.AssetMaterialization]:
    """Yield what an operation that is no asset wrote, as the assets of its tables would tell it.

    Parameters
    ----------
    shown
        Further entries by table.
    """
    found: dict[tuple[str, str | None], list[Written]] = {}
    for item in written:
        found.setdefault((item.record.table, key_of(_values(item))), []).append(item)
    for (table, key), mine in found.items():
        yield dg.AssetMaterialization(
            table.split("."), partition=key, metadata={**_totals(mine), **shown.get(table, {})}
        )


def _values(item: Written) -> dict[str, str]:
    return dict(part.split("=", 1) for part in item.record.partition.split("__"))


def _totals(written: Sequence[Written]) -> dict[str, Any]:
    return {
        "dagster/row_count": sum(w.record.rows for w in written),
        "partitions": len(written),
        "changed_partitions": sum(w.changed for w in written),
        **_time_range(written),
    }


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
