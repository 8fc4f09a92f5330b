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
    """Compare each day with the contract; cheap enough for every micro-batch.

    It blocks where no day holds. Else nothing is made from those that do not, the others go on,
    and the run fails at its end.
    """
    ctx = platform.of(context)
    problems: list[str] = []
    warnings: list[str] = []
    some_hold = False
    for name, days in days_by_site(context).items():
        for day in days:
            found, warned = check_contract(ctx, ctx.site(name), [day])
            some_hold |= not found
            problems += found
            warnings += warned
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN if some_hold else dg.AssetCheckSeverity.ERROR,
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
    """Run the suite on each day; a failed expectation of severity ERROR blocks.

    It does not where the other days hold and the cheap checks leave out those that fail.
    """
    ctx = platform.of(context)
    outcomes = {
        (name, day): outcome
        for name, days in days_by_site(context).items()
        for day, outcome in check_expectations(ctx, ctx.site(name), days).items()
    }
    failures = [
        f"{name} {day}: {failure.message}"
        for (name, day), outcome in outcomes.items()
        for failure in outcome.failures
    ]
    warnings = [
        f"{name} {day}: {warning.message}"
        for (name, day), outcome in outcomes.items()
        for warning in outcome.warnings
    ]
    wrong = [(name, day) for (name, day), outcome in outcomes.items() if outcome.failures]
    left_out = all(check_contract(ctx, ctx.site(name), [day])[0] for name, day in wrong)
    samples = [row for o in outcomes.values() for f in o.failures for row in f.sample]
    return dg.AssetCheckResult(
        passed=not failures,
        severity=_severity(stops=not left_out or len(wrong) == len(outcomes)),
        description="; ".join((failures or warnings)[:TOLD]) or f"{len(outcomes)} days as expected",
        metadata={
            "warnings": len(warnings),
            **({"offending_rows": dg.MetadataValue.json(samples[:TOLD])} if samples else {}),
            **{
                f"page of {name} {day}": dg.MetadataValue.url(outcome.page.as_uri())
                for (name, day), outcome in outcomes.items()
            },
        },
    )


def _severity(*, stops: bool) -> dg.AssetCheckSeverity:
    """Return how a failed check is told: as a warning, it does not keep the rest from going on."""
    return dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN
