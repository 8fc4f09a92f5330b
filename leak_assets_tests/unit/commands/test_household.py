"""Commands for homes: demo, page, replay, what people say; one demo home for all of them."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from leak_assets.cli import app
from leak_assets.defs.shown import SHOWN
from leak_assets.household.control_rows import say
from leak_assets.household.controls import Control
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.freshness import stale_days
from leak_assets.settings import Settings

BURST = date(2019, 4, 16)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, dict[str, Any]]]:
    """The demo of a home, run once."""
    home = tmp_path_factory.mktemp("demo") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEAK_ASSETS_HOME", str(home))
        patch.setenv("LEAK_ASSETS_USER", "ada")
        result = CliRunner().invoke(app, ["household", "demo", "--json"])
        assert result.exit_code == 0, result.output
        yield Settings(LEAK_ASSETS_HOME=home), json.loads(result.stdout)


def run(*arguments: str) -> Result:
    """Run a command of homes."""
    return CliRunner().invoke(app, ["household", *arguments])


def test_the_demo_finds_its_four_faults(demo: tuple[Settings, dict[str, Any]]) -> None:
    """Alarms beside the truth: each fault found, nothing else."""
    _, said = demo
    assert [row["fault"] for row in said["faults"]] == [
        "toilet flapper",
        "slow leak",
        "burst hose",
        "tap left open",
    ]
    assert all(row["alarm"] for row in said["faults"])
    assert said["false_alarms"] == 0


def test_the_page_is_whole_and_loads_nothing(demo: tuple[Settings, dict[str, Any]]) -> None:
    """Raster, bands, prototypes, alarms and why; no address of a network."""
    page = Path(demo[1]["report"]).read_text("utf-8")
    assert "Alarms beside the truth" in page
    for heading in ("Water by day and hour", "Last alarms and why", "Uses that come back"):
        assert heading in page
    assert page.count("<rect") > 500
    assert 'class="ring"' in page
    assert "the like lasted" in page
    assert re.findall(r"(?:src|href)\s*=|url\(|@import", page) == []


def test_a_report_of_a_home_and_of_none(
    demo: tuple[Settings, dict[str, Any]], tmp_path: Path
) -> None:
    """The page without the truth; a name that is no home is one line."""
    out = tmp_path / "page.html"
    result = run("report", "demo-home", "--out", str(out), "--json")
    assert json.loads(result.stdout) == {"site": "demo-home", "report": str(out)}
    assert "beside the truth" not in out.read_text("utf-8")
    assert run("report", "nobody").exit_code != 0


def test_a_replayed_night_says_the_same(demo: tuple[Settings, dict[str, Any]]) -> None:
    """HOU19: the identical events, and exit code 0; a day without readings is refused."""
    result = run("replay", "demo-home", str(BURST), "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["identical"]
    assert [row["event"] for row in said["events"]] == ["on", "off"]
    assert run("replay", "demo-home", "2018-01-01").exit_code != 0


def test_dagsters_page_of_a_day_shows_its_raster(demo: tuple[Settings, dict[str, Any]]) -> None:
    """As a picture of the weeks up to it."""
    ctx = StepContext.local(demo[0])
    partition = {"date": str(BURST), "network": "demo-home"}
    _, pictures = SHOWN["household_day"](ctx, ctx.site("demo-home"), [partition])
    assert pictures["raster"].startswith(b"\x89PNG")


def test_people_pause_expect_guests_and_end_it(demo: tuple[Settings, dict[str, Any]]) -> None:
    """HOU16: event rows with who said it; the view has what counts now."""
    assert run("pause", "demo-home", "--hours", "3", "--reason", "the pool").exit_code == 0
    assert run("guests", "demo-home", "--until", "2099-01-01").exit_code != 0, "beyond a year"
    assert run("guests", "demo-home", "--by", "grace").exit_code == 0
    assert run("resume", "demo-home").exit_code == 0
    assert run("resume", "demo-home", "--what", "rain").exit_code != 0
    ctx = StepContext.local(demo[0])
    said = ctx.warehouse.read_all("household.controls", site="demo-home").sort("at_utc")
    assert said["action"].to_list() == ["pause", "guests", "resume"]
    assert said["actor"].to_list() == ["ada", "grace", "ada"]
    now = ctx.warehouse.sql("SELECT action, actor FROM household.current_controls")
    assert now.rows() == [("guests", "grace")]


def test_a_stored_pause_counts_for_its_day_and_for_replays(
    demo: tuple[Settings, dict[str, Any]],
) -> None:
    """HOU16: the burst of a paused day raises no alarm; days before are not made again."""
    ctx = StepContext.local(demo[0])
    site = ctx.site("demo-home")
    begin_s = datetime(2019, 4, 16, 8, tzinfo=UTC).timestamp()
    pool = Control(begin_s, "pause", begin_s + 3 * 3600, "the pool is filled")
    say(ctx.warehouse, site.name, pool, actor="ada", at=datetime.now(UTC))
    assert min(stale_days(ctx, site)) == BURST
    process_landing_zone(ctx, site)
    alerts = ctx.warehouse.read("household.alerts", {"date": str(BURST), "site": site.name})
    assert alerts is not None
    assert alerts.sort("ts_utc")["event"].to_list() == ["pause_began", "pause_ended"]
    assert run("replay", "demo-home", str(BURST)).exit_code == 0
