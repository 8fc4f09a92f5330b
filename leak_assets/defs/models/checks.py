"""Quality gates: a model that misses one does not go into force."""

import dagster as dg

from leak_assets.defs.partitions import SITES
from leak_assets.defs.resources import Platform
from leak_assets.models.steps import failed_gates


@dg.asset_check(
    asset=["models", "evaluations"],
    name="quality_gates",
    blocking=True,
    partitions_def=SITES,
    description="AUC, precision, recall and false-alarm rate on held-out towns.",
)
def quality_gates(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Fail with one line for each gate that does not hold."""
    ctx = platform.of(context)
    failures = failed_gates(ctx, ctx.network(context.partition_key))
    return dg.AssetCheckResult(
        passed=not failures,
        description="; ".join(failures) or "all gates hold",
        metadata={"failed_gates": len(failures)},
    )
