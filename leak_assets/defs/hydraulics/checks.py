"""Checks of the scenario runs: every leak must have leaked."""

import dagster as dg

from leak_assets.defs.partitions import BATCH_NETWORK, batches_by_network
from leak_assets.defs.resources import Platform
from leak_assets.hydraulics.steps import dry_leaks


@dg.asset_check(
    asset=["simulation", "leak_truth"],
    name="leaks_have_flow",
    blocking=True,
    partitions_def=BATCH_NETWORK,
    description="An engine that ignores leaks does so silently; here each must have flow.",
)
def leaks_have_flow(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Fail with the leaks that never had any flow."""
    ctx = platform.of(context)
    dry = [
        leak
        for network, batches in batches_by_network(context).items()
        for leak in dry_leaks(ctx, network, batches)
    ]
    return dg.AssetCheckResult(
        passed=not dry,
        description=f"leaks without flow: {', '.join(dry)}" if dry else "every leak leaked",
        metadata={"leaks_without_flow": len(dry)},
    )
