"""A run over a range with a day that cannot be made: the others are, and the run says which."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from leak_assets.definitions import defs
from leak_assets.defs.partitions import day_key, run_tags
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.runs.daemonless import prepare_site, take_waiting
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.steps import READINGS_STEP
from leak_assets_tests.days import mend_readings, run_days, spoil_readings

SITE = """\
name: rome
kind: zones
cadence_s: 3600
sensors: [{quantity: flow, unit: L/s, ids: [m1]}]
details:
  areas: [{name: upper, meters: {m1: 1}, connections: 1000, mains_km: 10}]
"""
RAW, READINGS, BALANCE = (
    "telemetry.raw_readings",
    "telemetry.readings",
    "water.dma_balance_daily",
)
DAYS = [date(2026, 3, 2) + timedelta(days=n) for n in range(48)]
POISONED = DAYS[20]
Mend = Callable[[], None]


@pytest.fixture
def rome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StepContext:
    """A home with 48 days of a zone in the raw log."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path / "home"))
    (tmp_path / "rome.yaml").write_text(SITE)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"), run_id="test")
    register_site(tmp_path / "rome.yaml", ctx.settings)
    lines = [f"{day} {hour:02}:00:00+00:00;{4 + hour % 5}" for day in DAYS for hour in range(24)]
    file = tmp_path / "2026_Flows.csv"
    file.write_text("\n".join(["Timestamp;m1", *lines]) + "\n")
    deliver([file], ctx.settings.landing_dir, "rome")
    prepare_site(ctx, ctx.site("rome"))
    take_waiting(ctx, ctx.site("rome"))
    return ctx


@pytest.fixture
def zones(instance: dg.DagsterInstance) -> dg.DagsterInstance:
    """An instance that knows the zone."""
    instance.add_dynamic_partitions("site", ["rome"])
    return instance


def damaged(ctx: StepContext) -> Mend:
    """Damage a day's file in the raw log."""
    path = ctx.warehouse.path(RAW, day_partition(POISONED, "rome"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    def mend() -> None:
        path.write_bytes(whole)

    return mend


def breaking(ctx: StepContext) -> Mend:
    """Put readings that break the contract into a day."""
    run_days(READINGS_STEP, ctx, ctx.site("rome"), *DAYS)
    spoil_readings(ctx, POISONED, "rome")
    return lambda: mend_readings(ctx, POISONED, "rome")


def published(ctx: StepContext, table: str) -> dict[str, str]:
    """Return the data version of each day of a table."""
    found = {}
    for partition in ctx.warehouse.partitions(table):
        record = ctx.warehouse.record(table, partition)
        assert record is not None
        found[partition["date"]] = record.data_version
    return found


def run_range(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Run the zone's job over all days."""
    return defs.resolve_job_def("zones_batch").execute_in_process(
        instance=instance, tags=run_tags(DAYS, "rome"), raise_on_error=False
    )


# The readings of a day go on from the raw log of the day before: a damaged one costs itself only.
@pytest.mark.parametrize(("poison", "lost"), [(breaking, {POISONED}), (damaged, {POISONED})])
def test_47_of_48_days_are_made_and_the_run_names_the_other(
    zones: dg.DagsterInstance,
    rome: StepContext,
    poison: Callable[[StepContext], Mend],
    lost: set[date],
) -> None:
    """ORC10: the run fails at its end; run again after the cause is mended, it makes that day."""
    mend = poison(rome)
    result = run_range(zones)
    assert not result.success
    assert set(published(rome, BALANCE)) == {str(day) for day in DAYS if day not in lost}
    told = [
        e.description or ""
        for e in result.get_asset_check_evaluations()
        if e.check_name == "every_day_made" and not e.passed
    ]
    assert told
    assert all(f"rome {POISONED} " in text for text in told)
    assert not any(f"rome {day}" in text for text in told for day in DAYS if day not in lost)
    key = day_key(POISONED, "rome")
    records = zones.fetch_observations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(READINGS.split(".")), asset_partitions=[key]),
        limit=1,
    ).records
    assert bool(records) == (poison is damaged)
    before = published(rome, BALANCE)
    mend()
    assert run_range(zones).success
    after = published(rome, BALANCE)
    assert set(after) - set(before) == set(map(str, lost))
    # The day after a damaged one was made with what could be read, and is made again.
    others = [day for day in before if day != str(DAYS[21])]
    assert {day: after[day] for day in others} == {day: before[day] for day in others}


def test_days_none_of_which_can_be_made_end_the_run_at_once(
    zones: dg.DagsterInstance, rome: StepContext
) -> None:
    """One error, not one for each day and step."""
    for day in DAYS:
        rome.warehouse.path(RAW, day_partition(day, "rome")).write_bytes(b"")
    result = run_range(zones)
    assert not result.success
    assert rome.warehouse.partitions(BALANCE) == []
    assert not result.get_asset_check_evaluations()
