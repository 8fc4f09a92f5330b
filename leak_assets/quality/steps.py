"""The quality room's steps: sensors by days, and days of readings against their contract."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.given import CONTRACT
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.sites.site import NetworkSite, Site
from leak_assets.warehouse import Input

from .balance import Balance
from .breaks import READINGS, remember_breaks
from .checks import run_checks
from .great_expectations_suite import GxOutcome, validate_with_gx
from .meter_changes import change_inputs, changed_sensors, no_changes
from .sensor_days import sensor_days
from .zone_balances import zone_balances

SENSOR_DAYS = "telemetry.sensor_quality_daily"


def sensor_day_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield how each sensor did on each day."""
    balances: tuple[Balance, ...] = ()
    if isinstance(work.site, NetworkSite):
        balances = zone_balances(work.site)
    for partition in partitions:
        readings = work.read(READINGS, partition)
        if readings is None:
            continue
        day = day_of(partition)
        rows = sensor_days(
            readings,
            work.read_days(SENSOR_DAYS, _day_gone_on_from(work, day)),
            work.site.contract,
            network=work.site.name,
            day=day,
            balances=balances,
            changed=changed_sensors(work, day),
        )
        yield partition, {SENSOR_DAYS: rows}


def _day_gone_on_from(work: Work, day: date) -> list[date]:
    """Return the newest day before a day that has rows, if there is one."""
    before = day - timedelta(days=1)
    if work.warehouse.path(SENSOR_DAYS, work.day(before)).exists():
        return [before]
    known = (
        date.fromisoformat(partition["date"])
        for partition in work.warehouse.partitions(SENSOR_DAYS, network=work.site.name)
    )
    newest = max((found for found in known if found < day), default=None)
    return [] if newest is None else [newest]


def _site(work: Work) -> tuple[Input, ...]:
    return work.site.inputs()


SENSOR_DAYS_STEP = Step(
    name="sensor_quality",
    partition="day",
    writes=(SENSOR_DAYS,),
    reads=(Read(READINGS, required=True), Read(SENSOR_DAYS, days=_day_gone_on_from)),
    given=(
        CONTRACT,
        Given("site", _site),
        Given("meter_change", no_changes, of_day=change_inputs),
    ),
    compute=sensor_day_frames,
    goes_on=True,
    kinds=("network", "zones"),
    description="How each sensor did on a day: flags, health, clock, units, balance of its zone.",
)


def check_contract(
    ctx: StepContext, site: Site, days: Sequence[date]
) -> tuple[list[str], list[str]]:
    """Return the blocking problems and the warnings of the cheap checks, one line each.

    Days that break the contract are remembered (`telemetry.contract_breaks`).
    """
    contract = site.contract
    problems: list[str] = []
    warnings: list[str] = []
    for day in days:
        readings = ctx.warehouse.read("telemetry.readings", day_partition(day, site.name))
        if readings is None:
            continue
        failed = {}
        for name, outcome in run_checks(readings, contract).items():
            if not outcome.passed:
                line = f"{site.name} {day} {name}: {outcome.message}"
                (problems if outcome.severity == "ERROR" else warnings).append(line)
                if outcome.severity == "ERROR":
                    failed[name] = outcome.message
        remember_breaks(ctx, site, day, failed)
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
