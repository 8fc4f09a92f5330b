"""The report of a real network: from the tables alone, whatever of them is there."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.errors import InputError
from leak_assets.reports.incident_plots import incident_plots
from leak_assets.reports.network_report import network_report
from leak_assets.reports.report import render_report
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite, network_site
from leak_assets.warehouse import Warehouse
from leak_assets_tests.towns import line_residuals, line_scores, line_town, table_rows

FIRST = date(2019, 1, 7)


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """An empty warehouse, as the environment's."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    return Warehouse.from_settings(Settings())


@pytest.fixture
def site(warehouse: Warehouse) -> NetworkSite:
    """EPANET's network 1."""
    return network_site("net1", Settings())


def write_day(warehouse: Warehouse, table: str, day: date, rows) -> None:
    """Write a day's partition of a table."""
    warehouse.write(table, {"date": day.isoformat(), "network": "net1"}, rows, inputs=[])


def write_readings(warehouse: Warehouse, *days: date) -> None:
    """Write one reading for each day."""
    for day in days:
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        row = {"network": "net1", "sensor_id": "10", "quantity": "pressure", "ts_utc": at}
        write_day(warehouse, "telemetry.readings", day, table_rows("telemetry.readings", [row]))


def test_without_incidents_and_models_it_says_so(warehouse: Warehouse, site: NetworkSite) -> None:
    """Readings are enough for a report; what is missing is named."""
    write_readings(warehouse, FIRST, FIRST + timedelta(days=1))
    data = network_report(warehouse, site, price_eur_per_m3=0.8)
    assert (data.period_start.date(), data.period_end.date()) == (FIRST, FIRST + timedelta(days=1))
    assert data.truth is None
    page = render_report(data)
    for words in ("No incident in this period.", "No model is in use", "No residuals"):
        assert words in page
    assert "beside the truth" not in page


def test_it_shows_incidents_models_and_files_of_the_period(
    warehouse: Warehouse, site: NetworkSite
) -> None:
    """Rows of other days stay out; the model in use is the promoted one."""
    town = line_town()
    other = FIRST - timedelta(days=40)
    write_readings(warehouse, other, FIRST, FIRST + timedelta(days=1))
    events = town["events"]
    write_day(warehouse, "incidents.incident_events", FIRST, events)
    old = events.filter(incident_id="net1-1").with_columns(incident_id=pl.lit("old"))
    write_day(warehouse, "incidents.incident_events", other, old)
    write_day(warehouse, "incidents.candidates", FIRST, town["all_candidates"])
    write_day(warehouse, "features.residuals", FIRST, line_residuals(24))
    write_day(warehouse, "detection.window_scores", FIRST, line_scores(timedelta(days=1), []))
    at = datetime(2019, 1, 1, tzinfo=UTC)
    for number, status in enumerate(("candidate", "champion")):
        row = {
            "network": "net1",
            "event_id": str(number),
            "model": "leak_detector",
            "version": "1-abc",
            "status": status,
            "event_at": at + timedelta(hours=number),
        }
        warehouse.write(
            "models.registry_events",
            {"event": str(number), "network": "net1"},
            table_rows("models.registry_events", [row]),
            inputs=[],
        )
    data = network_report(warehouse, site, price_eur_per_m3=0.8)
    assert set(data.events["incident_id"]) == {"net1-1", "net1-2"}
    assert data.models == [("leak_detector", "1-abc")]
    page = render_report(data)
    assert "net1-2" in page
    assert "1-abc" in page
    plots = incident_plots(warehouse, site, [FIRST])
    assert all(png.startswith(b"\x89PNG") for png in plots.values())
    assert set(plots) == {"signal", "network"}
    # Incidents need no scored windows: another method may have raised them.
    assert set(incident_plots(warehouse, site, [other])) == {"network"}


def test_deliveries_of_the_period_are_in_the_audit(warehouse: Warehouse, site: NetworkSite) -> None:
    """One line a file, however often it came; of very many the newest, and how many more."""
    write_readings(warehouse, FIRST)
    at = datetime(2019, 1, 7, 6, tzinfo=UTC)
    rows = [
        {
            "network": "net1",
            "source": "file",
            "file_path": f"net1/{number:02d}.csv",
            "file_sha256": "a1",
            "received_at": at + again * timedelta(minutes=1),
            "first_ts_utc": at + shift,
            "last_ts_utc": at + shift + number * timedelta(minutes=1),
        }
        for number in range(60)
        for again in (0, 1)
        for shift in (timedelta(0) if number else timedelta(days=-9),)
    ]
    write_day(
        warehouse, "telemetry.ingest_ledger", FIRST, table_rows("telemetry.ingest_ledger", rows)
    )
    audit = dict(network_report(warehouse, site, price_eur_per_m3=0.8).audit)
    files = [name for name in audit if name.endswith(".csv")]
    assert files == [f"net1/{number:02d}.csv" for number in range(10, 60)]
    assert audit["further files"].startswith("9,")
    assert audit["net1/59.csv"] == "SHA-256 a1"


def test_the_period_can_be_chosen_and_must_have_readings(
    warehouse: Warehouse, site: NetworkSite
) -> None:
    """A period without readings is refused with the one that has them."""
    with pytest.raises(InputError, match="net1 has no readings"):
        network_report(warehouse, site, price_eur_per_m3=0.8)
    write_readings(warehouse, FIRST, date(2019, 6, 1))
    data = network_report(warehouse, site, price_eur_per_m3=0.8, last_day=FIRST)
    assert data.period_end.date() == FIRST
    with pytest.raises(InputError, match="go from 2019-01-07 to 2019-06-01"):
        network_report(
            warehouse, site, price_eur_per_m3=0.8, first_day=date(2019, 2, 1),
            last_day=date(2019, 3, 1),
        )  # fmt: skip


def test_the_command_writes_the_page(warehouse: Warehouse, tmp_path: Path) -> None:
    """`leak-assets report network` names the file and what is in it."""
    write_readings(warehouse, FIRST)
    out = tmp_path / "out" / "net1.html"
    result = CliRunner().invoke(app, ["report", "network", "net1", "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert (told["report"], told["incidents"], told["models"]) == (str(out), 0, 0)
    assert out.read_text().endswith("</html>")
    words = CliRunner().invoke(app, ["report", "network", "net1"]).output
    assert "no incidents" in words
    assert "leak-assets train --network net1" in words
    assert (tmp_path / "var" / "reports" / "net1.html").is_file()
