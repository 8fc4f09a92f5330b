"""Checks of the readings: the contract in every batch, Great Expectations once a day is over."""

import dagster as dg

from leak_assets.defs.partitions import DAY_SITE, days_by_site
from leak_assets.defs.resources import Platform
from leak_assets.quality.steps import check_contract, check_expectations

READINGS = ["telemetry", "readings"]
# Lines told in a check's description; the pages and the log have them all.
TOLD = 5


@dg.asset_check(
    asset=READINGS,
    name="data_contract",
    blocking=True,
    partitions_def=DAY_SITE,
    description="Columns, types, keys, nulls and ranges are those of the data contract.",
)
def data_contract(
    context: dg.AssetCheckExecutionContext, platform: Platform
) -> dg.AssetCheckResult:
    """Compare each day with the contract; cheap enough for every micro-batch."""
    ctx = platform.of(context)
    problems: list[str] = []
    warnings: list[str] = []
    for name, days in days_by_site(context).items():
        found, warned = check_contract(ctx, ctx.site(name), days)
        problems += found
        warnings += warned
    return dg.AssetCheckResult(
        passed=not problems,
        description="; ".join((problems or warnings)[:TOLD]) or "the contract holds",
        metadata={"problems": len(problems), "warnings": len(warnings)},
    )


@dg.asset_check(
    asset=READINGS,
    name="expectations",
    blocking=True,
    partitions_def=DAY_SITE,
    description="Great Expectations suite of the contract, with a page for each day.",
)
def expectations(context: dg.AssetCheckExecutionContext, platform: Platform) -> dg.AssetCheckResult:
    """Run the suite on each day; a failed expectation of severity ERROR blocks."""
    ctx = platform.of(context)
    outcomes = {
        f"{name} {day}": outcome
        for name, days in days_by_site(context).items()
        for day, outcome in check_expectations(ctx, ctx.site(name), days).items()
    }
    failures = [
        f"{where}: {failure.message}"
        for where, outcome in outcomes.items()
        for failure in outcome.failures
    ]
    samples = [row for o in outcomes.values() for f in o.failures for row in f.sample]
    return dg.AssetCheckResult(
        passed=not failures,
        description="; ".join(failures[:TOLD]) or f"{len(outcomes)} days as expected",
        metadata={
            "warnings": sum(len(outcome.warnings) for outcome in outcomes.values()),
            **({"offending_rows": dg.MetadataValue.json(samples[:TOLD])} if samples else {}),
            **{
                f"page of {where}": dg.MetadataValue.url(outcome.page.as_uri())
                for where, outcome in outcomes.items()
            },
        },
    )
