"""Checks of the scenario runs: every leak must have leaked."""

import dagster as dg

from leak_assets.defs.partitions import BATCH_SITE, partitions_by_site
from leak_assets.defs.resources import Platform
from leak_assets.hydraulics.steps import dry_leaks


@dg.asset_check(
    asset=["simulation", "leak_truth"],
    name="leaks_have_flow",
    blocking=True,
    partitions_def=BATCH_SITE,
    description="An engine that ignores leaks does so silently; here each must have flow.",
)
def leaks_have_flow(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Fail with the leaks that never had any flow."""
    ctx = platform.of(context)
    dry = [
        leak
        for site, partitions in partitions_by_site(context, "batch").items()
        for leak in dry_leaks(ctx, site, [p["batch"] for p in partitions])
    ]
    return dg.AssetCheckResult(
        passed=not dry,
        description=f"leaks without flow: {', '.join(dry)}" if dry else "every leak leaked",
        metadata={"leaks_without_flow": len(dry)},
    )
