"""Checks of the incidents, by partition: amounts, their detection, losses of known leaks."""

from collections.abc import Callable, Sequence
from datetime import date

import dagster as dg

from leak_assets.audit.invariants import negative_amounts, volume_errors, without_detection
from leak_assets.defs.partitions import DAY_SITE, days_by_site
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import NetworkSite, Site

EVENTS = ["incidents", "incident_events"]
DAYS = ["incidents", "incident_days"]
TOLD = 5


@dg.asset_check(
    asset=DAYS,
    name="amounts_are_possible",
    partitions_def=DAY_SITE,
    description="No flow, loss or value below zero, and no loss that shrinks.",
)
def amounts_are_possible(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Fail with a line for each impossible amount."""
    return _result(_lines(context, platform, negative_amounts))


@dg.asset_check(
    asset=EVENTS,
    name="incidents_rest_on_detection",
    partitions_def=DAY_SITE,
    description="Each revision has its hypothesis among the day's rows of `detection.hypotheses`.",
)
def incidents_rest_on_detection(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Fail with a line for each revision that no detection stands behind."""
    return _result(_lines(context, platform, without_detection))


@dg.asset_check(
    asset=DAYS,
    name="losses_match_known_leaks",
    partitions_def=DAY_SITE,
    description="Where simulated leaks are known (`var/truth/<network>/`), losses are within 10 %.",
)
def losses_match_known_leaks(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Warn with a line for each loss that is off; it says how good estimates are, no more."""
    ctx = platform.of(context)
    lines: list[str] = []
    compared = 0
    for name, days in days_by_site(context).items():
        site = ctx.site(name)
        # The daily batch takes sites of every kind; only networks have incidents of leaks.
        if not isinstance(site, NetworkSite):
            continue
        found, count = volume_errors(ctx, site, days)
        lines += found
        compared += count
    return dg.AssetCheckResult(
        passed=not lines,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(lines[:TOLD]) or f"{compared} losses compared",
        metadata={"compared": compared, "off": len(lines)},
    )


def _lines(
    context: dg.AssetCheckExecutionContext,
    platform: Platform,
    check: Callable[[StepContext, Site, Sequence[date]], list[str]],
) -> list[str]:
    ctx = platform.of(context)
    sites = [(ctx.site(name), days) for name, days in days_by_site(context).items()]
    return [
        line
        for site, days in sites
        if isinstance(site, NetworkSite)
        for line in check(ctx, site, days)
    ]


def _result(lines: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not lines,
        description="; ".join(lines[:TOLD]) or "every row holds",
        metadata={"problems": len(lines)},
    )
