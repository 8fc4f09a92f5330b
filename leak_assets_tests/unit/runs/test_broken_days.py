"""A day that breaks its contract is told once, and made again when it can be."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from leak_assets.cli import run
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.freshness import stale_days, unfinished_days
from leak_assets.runs.graph import GRAPH
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.warehouse.history import retired_path
from leak_assets_tests.days import mend_readings, spoil_readings

ZONES = """\
name: rome
kind: zones
timezone: Europe/Rome
country: IT
cadence_s: 3600
sensors:
  - {quantity: flow, unit: L/s, ids: [m1]}
details:
  areas:
    - {name: upper, meters: {m1: 1}, connections: 1000, mains_km: 10}
"""
FIRST = date(2026, 3, 2)
DAYS = [FIRST + timedelta(days=n) for n in range(3)]


@pytest.fixture
def rome(tmp_path: Path) -> StepContext:
    """A home with three days of a zone taken to their tables."""
    (tmp_path / "rome.yaml").write_text(ZONES)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path / "home"), run_id="test")
    register_site(tmp_path / "rome.yaml", ctx.settings)
    lines = [f"{day} {hour:02}:00:00+00:00;{4 + hour % 5}" for day in DAYS for hour in range(24)]
    file = tmp_path / "2026_Flows.csv"
    file.write_text("\n".join(["Timestamp;m1", *lines]) + "\n")
    deliver([file], ctx.settings.landing_dir, "rome")
    assert process_landing_zone(ctx, ctx.site("rome")).problems == ()
    return ctx


def test_a_broken_day_is_news_once(rome: StepContext) -> None:
    """It is told when it is found, known afterwards, and not looked at again for nothing."""
    site = rome.site("rome")
    spoil_readings(rome, DAYS[1], "rome")
    first = process_landing_zone(rome, site)
    assert any("2026-03-03 range" in line for line in first.problems)
    assert first.known_problems == ()
    assert DAYS[1] not in stale_days(rome, site)
    second = process_landing_zone(rome, site)
    assert second.problems == ()
    assert second.known_problems == first.problems
    assert second.days == 0
    breaks = rome.warehouse.read_all("telemetry.contract_breaks", network="rome")
    assert breaks.filter(check="range")["run_id"].to_list() == ["test"]


def test_a_broken_day_is_made_again_when_it_can_be(rome: StepContext) -> None:
    """With sound readings again it is stale, is made, and nothing is known of it any more."""
    site = rome.site("rome")
    spoil_readings(rome, DAYS[1], "rome")
    process_landing_zone(rome, site)
    mend_readings(rome, DAYS[1], "rome")
    assert DAYS[1] in stale_days(rome, site)
    mended = process_landing_zone(rome, site)
    assert (mended.problems, mended.known_problems) == ((), ())
    assert stale_days(rome, site) == []


def test_a_day_without_a_table_is_unfinished_until_it_is_made(rome: StepContext) -> None:
    """ORC3: what a killed run leaves is found; asked twice, the same is said of it."""
    site = rome.site("rome")
    assert unfinished_days(rome, site) == {}
    for day in DAYS[:2]:
        rome.warehouse.path("water.dma_balance_daily", day_partition(day, "rome")).unlink()
    found = unfinished_days(rome, site)
    assert list(found) == DAYS[:2]
    assert unfinished_days(rome, site) == found
    process_landing_zone(rome, site)
    assert unfinished_days(rome, site) == {}


def test_a_day_that_cannot_be_made_is_not_unfinished(rome: StepContext) -> None:
    """A broken day is missing for good until it is mended; a removed one is meant to be."""
    site, table = rome.site("rome"), "water.dma_balance_daily"
    spoil_readings(rome, DAYS[1], "rome")
    process_landing_zone(rome, site)
    for name in GRAPH.step("water_balance").writes:
        rome.warehouse.path(name, day_partition(DAYS[1], "rome")).unlink()
    assert unfinished_days(rome, site) == {}
    retired = rome.warehouse.path(table, day_partition(DAYS[0], "rome"))
    note = retired_path(rome.warehouse.root, retired)
    note.parent.mkdir(parents=True)
    note.write_text("{}")
    retired.unlink()
    assert unfinished_days(rome, site) == {}
    mend_readings(rome, DAYS[1], "rome")
    assert list(unfinished_days(rome, site)) == [DAYS[1]]


def test_ingest_ends_with_1_for_news_only(
    rome: StepContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says that the day is known, and that everything went well otherwise."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(rome.settings.home))
    spoil_readings(rome, DAYS[1], "rome")
    command = ["ingest", "--network", "rome"]
    assert run(command) == 1
    assert "known" not in capsys.readouterr().out
    assert run(command) == 0
    assert "known, no news: rome 2026-03-03" in capsys.readouterr().out
