"""The BattLeDIM run on a small town: what it finds, when, and that it never looks ahead."""

import gzip
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.benchmark.battledim_run import Detection, detect, write_submission
from leak_assets.errors import InputError
from leak_assets.exchange.battledim.submission import read_submission
from leak_assets.sites import Network, PipeDistance

MakeExport = Callable[..., Path]
LEAKS = (("12", 15, 62, 150.0), ("29", 45, 62, 120.0))
FIRST_LEAK, SECOND_LEAK = "12", "29"


@pytest.fixture(scope="module")
def leaking(make_export: MakeExport) -> Path:
    """Write a town with a leak since 2018-12-16 and another since 2019-01-15."""
    return make_export(LEAKS)


@pytest.fixture(scope="module")
def detections(hanoi: Network, leaking: Path) -> list[Detection]:
    return detect(hanoi, leaking)


def test_a_leak_of_the_history_is_reported_when_the_year_begins(
    hanoi: Network, detections: list[Detection]
) -> None:
    """A leak that began in December and still runs is the first report of the year."""
    assert detections[0].start_at == datetime(2019, 1, 1, tzinfo=UTC)
    assert detections[0].onset_day == date(2018, 12, 16)
    assert PipeDistance(hanoi)(detections[0].link_id, FIRST_LEAK) <= 2000


def test_a_new_leak_is_reported_within_days(hanoi: Network, detections: list[Detection]) -> None:
    """The leak of 15 January is reported in the days after, once, near its pipe."""
    later = detections[1:]
    assert len(later) == 1
    assert (
        datetime(2019, 1, 16, tzinfo=UTC) <= later[0].start_at <= datetime(2019, 1, 19, tzinfo=UTC)
    )
    assert PipeDistance(hanoi)(later[0].link_id, SECOND_LEAK) <= 2000
    assert later[0].flow_m3_per_h == pytest.approx(120, rel=0.4)


def test_no_leak_no_report(hanoi: Network, make_export: MakeExport) -> None:
    """A town without leaks gets no detection."""
    assert detect(hanoi, make_export()) == []


@pytest.mark.parametrize("days", [40, 46, 50])
def test_nothing_later_enters(
    hanoi: Network, make_export: MakeExport, detections: list[Detection], days: int
) -> None:
    """With the data cut after a day, all reports up to it are the same."""
    cut_at = datetime(2018, 12, 1, tzinfo=UTC) + timedelta(days=days)
    cut = detect(hanoi, make_export(LEAKS, days=days))
    assert cut == [d for d in detections if d.start_at <= cut_at]


def test_a_reported_repair_is_not_reported_again(hanoi: Network, make_export: MakeExport) -> None:
    """A leak of 2018 that the report says is repaired is not among the reports of 2019."""
    folder = make_export((("12", 10, 25, 150.0),))
    (folder / "2018_Fixed_Leakages_Report.txt").write_text("12, 2018-12-26 00:00\n")
    assert detect(hanoi, folder) == []


def test_a_leak_that_ended_by_itself_is_not_reported(
    hanoi: Network, make_export: MakeExport
) -> None:
    """A leak of 2018 that vanished without a report does not run when the year begins."""
    assert detect(hanoi, make_export((("12", 10, 25, 150.0),))) == []


def test_progress_is_told(hanoi: Network, leaking: Path) -> None:
    """Every file and stage is told."""
    lines: list[str] = []
    detect(hanoi, leaking, progress=lines.append)
    assert "reading 2018_SCADA_Pressures.csv" in lines
    assert any("leaks so far" in line for line in lines)


def test_a_missing_repair_report_is_told(
    hanoi: Network, leaking: Path, detections: list[Detection], tmp_path: Path
) -> None:
    """Without the report the run goes on and says what it takes for granted."""
    folder = tmp_path / "export"
    shutil.copytree(leaking, folder)
    (folder / "2018_Fixed_Leakages_Report.txt").unlink()
    lines: list[str] = []
    assert detect(hanoi, folder, progress=lines.append) == detections
    assert any("no report of repairs" in line for line in lines)


def test_a_submission_is_read_back(detections: list[Detection], tmp_path: Path) -> None:
    """The written file has the detections' links and times, and nothing is left beside it."""
    file = tmp_path / "out" / "submission.txt"
    write_submission(detections, file)
    assert [(link, when) for _, link, when in read_submission(file)] == [
        (d.link_id, d.start_at) for d in detections
    ]
    assert list(file.parent.iterdir()) == [file]


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
    hanoi: Network, leaking: Path, tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    """What is wrong with an export is told in one line."""
    folder = tmp_path / "export"
    shutil.copytree(leaking, folder)
    spoil(folder)
    with pytest.raises(InputError, match=says):
        detect(hanoi, folder)


def test_a_missing_folder_is_told(hanoi: Network, tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(InputError, match="no such folder"):
        detect(hanoi, tmp_path / "nothing")
