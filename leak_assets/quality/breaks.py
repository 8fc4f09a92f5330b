"""Days that break their contract: remembered with what they were judged from.

Who hears of a broken day twice stops listening: a day is news until its readings or its contract
change, and then it is judged anew. Event rows, written through the warehouse by whoever checks.
"""

from datetime import UTC, date, datetime

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites.site import Site
from leak_assets.warehouse.schemas.telemetry import CONTRACT_BREAKS

READINGS = "telemetry.readings"
BREAKS = "telemetry.contract_breaks"


def known_breaks(ctx: StepContext, site: Site, day: date) -> list[str]:
    """Return how a day is known to break its contract, one line each.

    Empty where it is not known to, or where its readings or its contract have changed since.
    """
    partition = day_partition(day, site.name)
    if not ctx.warehouse.path(BREAKS, partition).exists():
        return []
    rows = ctx.warehouse.read(BREAKS, partition)
    record = ctx.warehouse.record(READINGS, partition)
    if rows is None or record is None:
        return []
    same = rows.filter(readings_version=record.data_version, contract_sha256=site.contract.sha256)
    return [
        f"{site.name} {day} {row['check']}: {row['message']}" for row in same.iter_rows(named=True)
    ]


def remember_breaks(ctx: StepContext, site: Site, day: date, failed: dict[str, str]) -> None:
    """Remember the checks that a day fails, by name; a day that fails the same is left as it is."""
    if not failed or known_breaks(ctx, site, day):
        return
    partition = day_partition(day, site.name)
    record = ctx.warehouse.record(READINGS, partition)
    if record is None:
        return
    rows = pl.DataFrame(
        [
            {
                "network": site.name,
                "day": day,
                "check": name,
                "message": message,
                "readings_version": record.data_version,
                "contract_sha256": site.contract.sha256,
                "found_at": datetime.now(UTC),
                "run_id": ctx.warehouse.run_id,
            }
            for name, message in failed.items()
        ],
        schema=CONTRACT_BREAKS.polars_schema,
    )
    source = ctx.warehouse.as_input(READINGS, partition)
    inputs = [site.contract_input, *([source] if source else [])]
    ctx.warehouse.write(BREAKS, partition, rows, inputs=inputs)
