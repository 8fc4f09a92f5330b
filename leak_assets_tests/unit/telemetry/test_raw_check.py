"""What the ledger says arrived and the raw log does not have is named, and comes back."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.settings import Settings
from leak_assets.telemetry.raw_check import lost_days
from leak_assets.telemetry.raw_steps import RAW, take_deliveries
from leak_assets.telemetry.sources.deliver import deliver

DAYS = [date(2019, 3, 4), date(2019, 3, 5)]


@pytest.fixture
def ctx(tmp_path: Path, csv_lines: Callable[..., list[str]]) -> StepContext:
    """Return a home with two days of a sensor, each from a file of its own."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"))
    for day in DAYS:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        file = tmp_path / f"{day}_Pressures.csv"
        file.write_text("\n".join([*csv_lines(ids=("12",), start=start), ""]))
        deliver([file], ctx.settings.landing_dir, "hanoi")
    take_deliveries(ctx, ctx.network("hanoi"), DAYS)
    return ctx


def take_again(ctx: StepContext, folder: str) -> None:
    """Do what the remedy says."""
    deliver([Path(folder)], ctx.settings.landing_dir, "hanoi")
    take_deliveries(ctx, ctx.network("hanoi"), DAYS)


def test_a_whole_log_has_lost_nothing(ctx: StepContext) -> None:
    """Nor has an empty one."""
    assert lost_days(ctx.warehouse, ctx.settings.landing_dir) == []


@pytest.mark.parametrize("how", ["deleted", "damaged"])
def test_a_lost_day_is_named_and_comes_back(ctx: StepContext, how: str) -> None:
    """The line says which day, what to delete, and which folder to deliver again."""
    path = ctx.warehouse.path(RAW, day_partition(DAYS[1], "hanoi"))
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-50])
    [lost] = lost_days(ctx.warehouse, ctx.settings.landing_dir)
    assert (lost.network, lost.days) == ("hanoi", (DAYS[1],))
    assert lost.damaged == (() if how == "deleted" else (path,))
    [folder] = lost.again
    assert str(lost).endswith(f"leak-assets ingest {folder} --network hanoi")
    path.unlink(missing_ok=True)
    take_again(ctx, folder)
    assert ctx.warehouse.read_all(RAW).height == 8
    assert lost_days(ctx.warehouse, ctx.settings.landing_dir) == []


def test_days_without_readings_are_not_missed(
    ctx: StepContext, tmp_path: Path, csv_lines: Callable[..., list[str]]
) -> None:
    """A file with a hole of days says so in the ledger."""
    file = tmp_path / "hole_Pressures.csv"
    start = datetime(2019, 4, 1, tzinfo=UTC)
    later = csv_lines(ids=("12",), start=start + timedelta(days=5))[1:]
    file.write_text("\n".join([*csv_lines(ids=("12",), start=start), *later, ""]))
    deliver([file], ctx.settings.landing_dir, "hanoi")
    take_deliveries(ctx, ctx.network("hanoi"), [start.date() + timedelta(days=n) for n in range(6)])
    assert lost_days(ctx.warehouse, ctx.settings.landing_dir) == []


def test_files_that_are_gone_are_named_by_hash(ctx: StepContext) -> None:
    """Where nothing is kept, the ledger still knows what to look for."""
    ctx.warehouse.path(RAW, day_partition(DAYS[0], "hanoi")).unlink()
    for file in ctx.settings.landing_dir.rglob("*.csv"):
        file.unlink()
    [lost] = lost_days(ctx.warehouse, ctx.settings.landing_dir)
    assert lost.again[0].startswith("2019-03-04_Pressures.csv (SHA-256 ")
