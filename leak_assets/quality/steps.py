"""The quality room's steps: check the readings of days against the contract."""

from collections.abc import Sequence
from datetime import date

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites.site import Site

from .checks import run_checks
from .great_expectations_suite import GxOutcome, validate_with_gx


def check_contract(
    ctx: StepContext, site: Site, days: Sequence[date]
) -> tuple[list[str], list[str]]:
    """Return the blocking problems and the warnings of the cheap checks, one line each."""
    contract = site.contract
    problems: list[str] = []
    warnings: list[str] = []
    for day in days:
        readings = ctx.warehouse.read("telemetry.readings", day_partition(day, site.name))
        if readings is None:
            continue
        for name, outcome in run_checks(readings, contract).items():
            if not outcome.passed:
                line = f"{site.name} {day} {name}: {outcome.message}"
                (problems if outcome.severity == "ERROR" else warnings).append(line)
    return problems, warnings


def check_expectations(ctx: StepContext, site: Site, days: Sequence[date]) -> dict[date, GxOutcome]:
    """Run the Great Expectations suite on each day; its page is below the reports folder."""
    contract = site.contract
    outcomes = {}
    for day in days:
        readings = ctx.warehouse.read("telemetry.readings", day_partition(day, site.name))
        if readings is None:
            continue
        page = ctx.settings.reports_dir / "readings" / site.name / f"{day.isoformat()}.html"
        title = f"Readings of {site.name}, {day.isoformat()}"
        outcomes[day] = validate_with_gx(readings, contract, page=page, title=title)
    return outcomes
