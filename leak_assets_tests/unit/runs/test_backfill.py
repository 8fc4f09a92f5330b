"""Days made again on request: one that cannot be made does not keep the others from it."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.runs.backfill import backfill, wanted_days
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.freshness import held_back_days, stale_days
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.warehouse.history import versions
from leak_assets_tests.days import mend_readings, spoil_readings

RAW, READINGS = "telemetry.raw_readings", "telemetry.readings"
FIRST = date(2019, 3, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(48)]
POISONED = DAYS[20]


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    """Steps' context in an empty home."""
    return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"), run_id="test")


@pytest.fixture
def site(ctx: StepContext) -> NetworkSite:
    """Return Hanoi."""
    return ctx.network("hanoi")


def land(ctx: StepContext, name: str, days: list[date], value: str, hours: range) -> None:
    """Deliver hourly pressures of one sensor."""
    lines = [f"{day} {hour:02d}:00:00;{value}" for day in days for hour in hours]
    file = ctx.settings.home / f"{name}_Pressures.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(["Timestamp;4", *lines, ""]))
    deliver([file], ctx.settings.landing_dir, "hanoi")


@pytest.fixture(scope="module")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 48 days of readings; copy it before changing it."""
    home = tmp_path_factory.mktemp("filled") / "home"
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home), run_id="filled")
    land(ctx, "all", DAYS, "30,25", range(24))
    process_landing_zone(ctx, ctx.network("hanoi"))
    return home


@pytest.fixture
def filled(filled_home: Path, ctx: StepContext) -> StepContext:
    """A home of the test's own with 48 days of readings."""
    shutil.copytree(filled_home, ctx.settings.home, dirs_exist_ok=True)
    return ctx


def made(ctx: StepContext, table: str = "features.residuals") -> set[date]:
    """Return the days that a table has."""
    return {date.fromisoformat(p["date"]) for p in ctx.warehouse.partitions(table)}


def current(ctx: StepContext) -> dict[str, datetime]:
    """Return when each day of the readings was published."""
    found = versions(ctx.warehouse.root, READINGS)
    return {v.partition: v.published_at for v in found if v.is_current}


def forget(ctx: StepContext, *tables: str) -> None:
    """Remove derived tables, as if a bug had to be mended."""
    for table in tables:
        ctx.warehouse.remove(table)


def test_48_days_with_one_that_breaks_the_contract(filled: StepContext, site: NetworkSite) -> None:
    """ORC10: 47 days are made, one is told; after its cause is mended only that one is made."""
    forget(filled, "features.residuals", "features.windows")
    spoil_readings(filled, POISONED)
    summary = backfill(filled, site, DAYS)
    assert summary.problems
    assert all(line.startswith(f"hanoi {POISONED} ") for line in summary.problems)
    assert made(filled) == set(DAYS) - {POISONED}
    mend_readings(filled, POISONED)
    before = current(filled)
    again = backfill(filled, site, DAYS)
    assert again.problems == ()
    assert again.changed[READINGS] == 1
    assert made(filled) == set(DAYS)
    after = current(filled)
    assert set(after) - set(before) == {f"date={POISONED}__network=hanoi"}
    assert {p: after[p] for p in before} == before
    assert backfill(filled, site, DAYS).changed == {}


def test_a_damaged_raw_day_is_told_and_the_others_go_on(
    filled: StepContext, site: NetworkSite
) -> None:
    """OPS13: the file is named with a remedy; restored, what is missing is made and no more."""
    path = filled.warehouse.path(RAW, day_partition(DAYS[-1], "hanoi"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    forget(filled, READINGS, "features.residuals")
    summary = backfill(filled, site, DAYS)
    (line,) = summary.problems
    assert line.startswith(f"hanoi {DAYS[-1]} readings: ")
    assert "Delete the file, then deliver the exports of that day again" in line
    assert made(filled, READINGS) == made(filled) == set(DAYS[:-1])
    # Without a person: the next ingest says the same, and takes the rest.
    assert process_landing_zone(filled, site).problems
    path.write_bytes(whole)
    assert backfill(filled, site, DAYS).changed[READINGS] == 1
    assert made(filled) == set(DAYS)


def test_a_cause_common_to_all_days_is_one_error(filled: StepContext, site: NetworkSite) -> None:
    """What stands in the way of each day alike is not told forty-eight times."""
    links = filled.warehouse.path("network.links", {"network": "hanoi"})
    links.write_bytes(b"")
    forget(filled, "incidents.incident_events")
    with pytest.raises(InputError, match="the partition is damaged"):
        backfill(filled, site, DAYS)


def test_rows_after_the_window_are_kept_told_and_taken_by_hand(
    ctx: StepContext, site: NetworkSite
) -> None:
    """ING4: later than the window: in the raw log at once, in the readings when asked for."""
    update = {"correction_window_days": 0.0}
    ctx = StepContext(ctx.warehouse, ctx.settings.model_copy(update=update))
    days = DAYS[:3]
    land(ctx, "first", days, "30,25", range(12))
    process_landing_zone(ctx, site)
    land(ctx, "late", days[1:2], "31,25", range(12, 24))
    published = datetime.now(UTC)
    summary = process_landing_zone(ctx, site)
    assert summary.held_back == 1
    assert summary.problems == ()
    own = day_partition(days[1], "hanoi")
    raw = ctx.warehouse.read(RAW, own)
    assert raw is not None
    assert raw.height == 24
    record = ctx.warehouse.record(READINGS, own)
    assert record is not None
    assert record.revision == 1
    assert stale_days(ctx, site) == []
    assert wanted_days(ctx, site) == held_back_days(ctx, site) == [days[1]]
    taken = backfill(ctx, site, wanted_days(ctx, site))
    assert taken.later_days == (days[2],), "a day goes on from the one before"
    assert held_back_days(ctx, site) == []
    counted = "SELECT count(value_si) AS n FROM telemetry.readings WHERE ts_utc::DATE = ?"
    now = ctx.warehouse.sql(counted, [days[1]])["n"].item()
    with ctx.warehouse.connect(published) as then:
        before = then.execute(counted, [days[1]]).fetchone()
    assert before is not None
    assert before[0] < now
    assert now >= 24


def test_a_range_without_readings_is_refused(filled: StepContext, site: NetworkSite) -> None:
    """The line names what there is."""
    with pytest.raises(InputError, match="has 2019-03-01 to 2019-04-17"):
        wanted_days(filled, site, date(2020, 1, 1), date(2020, 1, 2))
