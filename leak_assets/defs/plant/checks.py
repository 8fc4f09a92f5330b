"""Check of a plant's days: whether its readings kept to the rules. The rules are `plant.rules`."""

import dagster as dg

from leak_assets.defs.partitions import DAY_SITE, days_by_site
from leak_assets.defs.resources import Platform
from leak_assets.plant.steps import counts_of_day

TOLD = 5


@dg.asset_check(
    asset=["plant", "anomalies"],
    name="readings_keep_to_the_rules",
    partitions_def=DAY_SITE,
    description="No spike, drift or dropout by the plant's rule profile.",
)
def readings_keep_to_the_rules(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Warn with a line for each day that has anomalies; they are rows all the same."""
    ctx = platform.of(context)
    counts = {
        f"{name} {day}": counts_of_day(ctx.warehouse, name, day)
        for name, days in days_by_site(context).items()
        for day in days
    }
    lines = [
        f"{what}: " + ", ".join(f"{count} {kind}" for kind, count in found.items())
        for what, found in counts.items()
        if found
    ]
    return dg.AssetCheckResult(
        passed=not lines,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(lines[:TOLD]) or f"{len(counts)} days without an anomaly",
        metadata={"anomalies": sum(sum(found.values()) for found in counts.values())},
    )
