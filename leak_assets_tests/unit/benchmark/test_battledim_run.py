"""The BattLeDIM run on a small town: what it finds, when, and that it never looks ahead."""

import gzip
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.benchmark.battledim_run import ExportRun, detect
from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import prepare_site, process_days, take_waiting
from leak_assets.settings import Settings
from leak_assets.sites import PipeDistance, SensorLayout
from leak_assets.sites.registry import adopt
from leak_assets.sites.site import NetworkSite, network_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.warehouse import Warehouse

MakeExport = Callable[..., Path]
LEAKS = (("12", 15, 62, 600.0), ("29", 45, 62, 480.0))
FIRST_LEAK, SECOND_LEAK = "12", "29"


@pytest.fixture(scope="module")
def leaking(make_export: MakeExport) -> Path:
    """Write a town with a leak since 2018-12-16 and another since 2019-01-15."""
    return make_export(LEAKS)


@pytest.fixture(scope="module")
def site(settings: Settings) -> NetworkSite:
    return network_site("hanoi", settings)


@pytest.fixture(scope="module")
def found(site: NetworkSite, leaking: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportRun:
    """Return the run over the leaking town, with its home kept."""
    return detect(site, leaking, home=tmp_path_factory.mktemp("run") / "home")


def test_a_leak_of_the_history_is_reported_when_the_year_begins(
    site: NetworkSite, found: ExportRun
) -> None:
    """A leak that began in December and still runs is the first report of the year."""
    assert (found.first_day, found.last_day) == (date(2019, 1, 1), date(2019, 1, 31))
    assert found.reports[0].start_at == datetime(2019, 1, 1, tzinfo=UTC)
    assert PipeDistance(site.network)(found.reports[0].link_id, FIRST_LEAK) <= 2000


def test_a_new_leak_is_reported_within_hours(site: NetworkSite, found: ExportRun) -> None:
    """The leak that begins on 15 January at midnight is reported then, once, near its pipe."""
    later = found.reports[1:]
    assert len(later) == 1
    midnight = datetime(2019, 1, 15, tzinfo=UTC)
    assert midnight < later[0].start_at <= midnight + timedelta(hours=3)
    assert PipeDistance(site.network)(later[0].link_id, SECOND_LEAK) <= 2000


def test_the_submission_is_what_the_operators_incidents_say(found: ExportRun) -> None:
    """Each report is an incident in the run's tables, with onset and flow near the truth."""
    warehouse = Warehouse(found.home / "warehouse")
    opened = warehouse.sql(
        "SELECT top_link_id, event_at, leak_start, estimated_flow_m3_per_h AS m3_per_h"
        " FROM incidents.incident_events WHERE event = 'opened' ORDER BY event_at"
    )
    assert opened["top_link_id"].to_list() == [report.link_id for report in found.reports]
    assert opened["leak_start"].dt.date().to_list() == [date(2018, 12, 16), date(2019, 1, 15)]
    assert opened["event_at"][1] == found.reports[1].start_at
    assert 240 < opened["m3_per_h"][1] < 960, "480 m3/h, within a factor of two"


def test_ingest_of_the_same_files_gives_the_same_incidents(
    found: ExportRun, leaking: Path, tmp_path: Path
) -> None:
    """What is scored is what operators get: the files through `ingest`, day after day."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path))
    kept = Warehouse(found.home / "warehouse")
    site = ctx.network("hanoi")
    adopt(site.network, layout_of(found), ctx.settings)
    site = ctx.network("hanoi")
    deliver(sorted(leaking.glob("*.csv")), ctx.settings.landing_dir, "hanoi")
    prepare_site(ctx, site)
    _, days = take_waiting(ctx, site)
    for day in sorted(days):
        process_days(ctx, site, [day])
    for table in ("detection.hypotheses", "incidents.incident_events", "incidents.candidates"):
        operated = ctx.warehouse.read_all(table, network="hanoi").drop("run_id", strict=False)
        scored = kept.read_all(table, network="hanoi").drop("run_id", strict=False)
        assert operated.equals(scored), table
        assert operated.height, table


def layout_of(run: ExportRun) -> SensorLayout:
    """Return the sensors that a run took from the export's headers."""
    return network_site("hanoi", Settings(LEAK_ASSETS_HOME=run.home)).layout


def test_no_leak_no_report(site: NetworkSite, make_export: MakeExport) -> None:
    """A town without leaks gets no incident."""
    run = detect(site, make_export())
    assert (run.reports, run.incidents) == ((), 0)
    assert not run.home.exists(), "a home that nobody named is gone"


@pytest.mark.parametrize("days", [46])
def test_nothing_later_enters(
    site: NetworkSite, make_export: MakeExport, found: ExportRun, days: int
) -> None:
    """With the data cut after a day, all reports up to it are the same."""
    cut_at = datetime(2018, 12, 1, tzinfo=UTC) + timedelta(days=days)
    cut = detect(site, make_export(LEAKS, days=days))
    assert cut.reports == tuple(report for report in found.reports if report.start_at < cut_at)


def test_a_reported_repair_is_not_reported_again(
    site: NetworkSite, make_export: MakeExport
) -> None:
    """A leak of 2018 that the report says is repaired is not among the reports of 2019."""
    folder = make_export((("12", 10, 25, 600.0),))
    (folder / "2018_Fixed_Leakages_Report.txt").write_text("12, 2018-12-26 00:00\n")
    assert detect(site, folder).reports == ()


def test_a_leak_that_ended_by_itself_is_not_reported(
    site: NetworkSite, make_export: MakeExport
) -> None:
    """A leak of 2018 that vanished without a report does not run when the year begins."""
    assert detect(site, make_export((("12", 10, 25, 600.0),))).reports == ()


def test_a_missing_repair_report_is_told(
    site: NetworkSite, leaking: Path, found: ExportRun, tmp_path: Path
) -> None:
    """Without the report the run goes on and says what it takes for granted."""
    folder = tmp_path / "export"
    shutil.copytree(leaking, folder)
    (folder / "2018_Fixed_Leakages_Report.txt").unlink()
    lines: list[str] = []
    assert detect(site, folder, progress=lines.append).reports == found.reports
    assert any("no report of repairs" in line for line in lines)
    assert any("taken as leak-free" in line for line in lines), "the first week is named"


def test_a_home_that_holds_something_is_refused(site: NetworkSite, leaking: Path) -> None:
    """A run never writes among other files."""
    with pytest.raises(InputError, match="must be new or empty"):
        detect(site, leaking, home=leaking)


def _remove(folder: Path) -> None:
    (folder / "2019_SCADA_Flows.csv").unlink()


def _other_header(folder: Path) -> None:
    file = folder / "2019_SCADA_Pressures.csv"
    file.write_text(file.read_text().replace("Timestamp;4;", "Timestamp;5;", 1))


def _unknown_sensor(folder: Path) -> None:
    for year in (2018, 2019):
        file = folder / f"{year}_SCADA_Pressures.csv"
        file.write_text(file.read_text().replace("Timestamp;4;", "Timestamp;n404;", 1))


def _unknown_repair(folder: Path) -> None:
    (folder / "2018_Fixed_Leakages_Report.txt").write_text("p999, 2018-12-20 00:00\n")


def _twice(folder: Path) -> None:
    file = folder / "2018_SCADA_Flows.csv"
    (folder / "2018_SCADA_Flows.csv.gz").write_bytes(gzip.compress(file.read_bytes()))


def _no_year(folder: Path) -> None:
    for name in ("Pressures", "Flows"):
        file = folder / f"2019_SCADA_{name}.csv"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:20]))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_remove, "2019_SCADA_Flows.csv"),
        (_other_header, "differ from those of 2018"),
        (_unknown_sensor, "n404"),
        (_unknown_repair, "p999"),
        (_twice, "are both there"),
        (_no_year, "no whole day of 2019"),
    ],
)
def test_unusable_exports_are_told(
    site: NetworkSite, leaking: Path, tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    """What is wrong with an export is told in one line."""
    folder = tmp_path / "export"
    shutil.copytree(leaking, folder)
    spoil(folder)
    with pytest.raises(InputError, match=says):
        detect(site, folder)


def test_a_missing_folder_is_told(site: NetworkSite, tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(InputError, match="no such folder"):
        detect(site, tmp_path / "nothing")
