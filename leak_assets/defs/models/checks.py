"""Quality gates: a model that misses one does not go into use."""

from typing import Any

import dagster as dg

from leak_assets.defs.partitions import SITES
from leak_assets.defs.resources import Platform
from leak_assets.models.config import DETECTOR
from leak_assets.models.steps import gate_failures
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import NetworkSite

EVALUATIONS = dg.AssetKey(["models", "evaluations"])
GATES = "quality_gates"


@dg.asset_check(
    asset=EVALUATIONS,
    name=GATES,
    blocking=True,
    partitions_def=SITES,
    description="The exported models on held-out towns: detection, false alarms, what places add.",
)
def quality_gates(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Fail with one line for each gate that does not hold.

    Where only the pinpointer's fail it is a warning, which does not block: the detector goes alone.
    """
    ctx = platform.of(context)
    return dg.AssetCheckResult(**gate_verdict(ctx, ctx.network(context.partition_key)))


def gate_verdict(ctx: StepContext, site: NetworkSite) -> dict[str, Any]:
    """Return the fields of the check's result for the newest models of a network."""
    failures = gate_failures(ctx, site)
    lines = [line for mine in failures.values() for line in mine]
    severity = dg.AssetCheckSeverity
    return {
        "passed": not lines,
        "severity": severity.ERROR if DETECTOR in failures else severity.WARN,
        "description": "; ".join(lines) or "all gates hold",
        "metadata": {"failed_gates": len(lines)},
    }
