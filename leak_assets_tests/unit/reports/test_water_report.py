"""The water balance as people read it: figures by hand, a picture, words where there is none."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from leak_assets.cli import app, run
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets.warehouse.schemas.water import DMA_BALANCE_DAILY, MINIMUM_NIGHT_FLOW

FIRST = date(2026, 5, 1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty days of one area of Hanoi: a night flow of 10 m3/h, from the 18th day on of 20."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path), run_id="test")
    for number in range(20):
        day = FIRST + timedelta(days=number)
        mnf = 10.0 if number < 17 else 20.0
        both = {"network": "hanoi", "zone_id": "0", "day_type": "workday", "coverage": 1.0}
        night = both | {"night": day, "mnf_m3_per_h": mnf}
        row = both | {
            "local_date": day,
            "starts_at": datetime(day.year, day.month, day.day, tzinfo=UTC),
            "hours": 24.0,
            "season": "spring",
            "net_inflow_m3": 1000.0,
            "used_m3": 800.0,
            "non_revenue_m3": 200.0,
            "mnf_m3_per_h": mnf,
            "losses_m3": 24 * mnf,
            "ili": 2.0,
        }
        partition = {"date": day.isoformat(), "network": "hanoi"}
        for table, values in ((MINIMUM_NIGHT_FLOW, night), (DMA_BALANCE_DAILY, row)):
            ctx.warehouse.write(
                table.full_name, partition, pl.DataFrame([values], schema=table.polars_schema)
            )
    return tmp_path


@pytest.mark.usefixtures("home")
def test_the_report_has_the_figures_of_the_tables(tmp_path: Path) -> None:
    """Over the last ten days: 17 of twenty nights at 10, three at 20, the last three indicated."""
    png = tmp_path / "nights.png"
    asked = ["water", "report", "--network", "hanoi", "--first-day", "2026-05-11", "--json"]
    result = CliRunner().invoke(app, [*asked, "--png", str(png)])
    assert result.exit_code == 0
    found = json.loads(result.output)
    assert (found["first_day"], found["last_day"]) == ("2026-05-11", "2026-05-20")
    (area,) = found["areas"]
    assert area == {
        "zone": "0",
        "days": 10,
        "coverage": 1.0,
        "m3_per_day": 1000.0,
        "nrw_pct": 20.0,
        "mnf_m3_per_h": 10.0,
        "nnf_m3_per_h": None,
        "lost_m3_per_day": 312.0,
        "ili": 2.0,
        "indicated": 1,
        "nights_above": 3,
    }
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.stat().st_size < 80_000


@pytest.mark.usefixtures("home")
def test_a_site_without_a_balance_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line with the way on."""
    assert run(["water", "report", "--network", "net3"]) == 2
    assert "net3 has no water balance" in capsys.readouterr().err
    assert run(["water", "report", "--network", "hanoi", "--last-day", "2026-05-01",
                "--first-day", "2026-05-02"]) == 2  # fmt: skip
    assert "is before the first" in capsys.readouterr().err
