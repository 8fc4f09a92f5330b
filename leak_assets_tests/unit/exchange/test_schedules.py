"""Leak schedules of users' files: BattLeDIM's list and configuration, LeakDB's scenario folders."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.exchange.battledim.leaks import read_leak_list
from leak_assets.exchange.schedules import read_leaks
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets_tests.towns import shared_folder

HEADER = "linkID,startTime,endTime,diameter_m,type,peakTime\n"
CONFIGURATION = """\
Comments:
  - Configuration file

Network:
  filename: TOWN_Real.inp

times:
  StartTime: 2018-01-01 00:00
  EndTime: 2018-12-31 23:55

leakages:
- # linkID, startTime, endTime, leakDiameter (m), leakType, peakTime
- p1, 2018-01-08 13:30, 2018-12-31 23:55, 0.011843, incipient, 2018-01-25 08:30
- p2, 2018-03-05 15:45, 2018-03-23 10:25, 0.022916, abrupt, 2018-03-05 15:45

pressure_sensors:
- n1
"""
INFO = """\
Description , Value
Leak Node , 13
Leak Area , 0.0133634
Leak Diameter , 0.130441139276
Leak Type , {kind}
Leak Start , {start}
Leak End , {end}
Peak Time , {peak}
"""


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _scenario(folder: Path, **times: str) -> Path:
    leaks = folder / "Scenario-1" / "Leaks"
    leaks.mkdir(parents=True)
    (leaks / "Leak_13_info.csv").write_text(INFO.format(**times))
    return leaks.parent


def test_configuration_of_the_generator(tmp_path: Path) -> None:
    """Entries are text, the first one is a comment; both suffixes give the same leaks."""
    expected = (
        Leak(
            "p1",
            _at("2018-01-08 13:30"),
            0.011843,
            "incipient",
            _at("2018-01-25 08:30"),
            _at("2018-12-31 23:55"),
        ),
        Leak(
            "p2",
            _at("2018-03-05 15:45"),
            0.022916,
            "abrupt",
            _at("2018-03-05 15:45"),
            _at("2018-03-23 10:25"),
        ),
    )
    for name in ("dataset_configuration.yaml", "dataset_configuration_evaluation.yalm"):
        (tmp_path / name).write_text(CONFIGURATION)
        assert read_leaks(tmp_path / name) == expected
    rows = [line[2:] for line in CONFIGURATION.splitlines() if line.startswith("- p")]
    for name in ("leaks.csv", "leakages_info.yalm"):
        (tmp_path / name).write_text("# linkID, startTime\n" + "\n".join(rows))
        assert read_leaks(tmp_path / name) == expected
    assert read_leaks(tmp_path) == expected


def test_configuration_with_mappings(tmp_path: Path) -> None:
    """LDIMBenchmark's generator has named values; a later peak makes the leak incipient."""
    path = tmp_path / "dataset.yml"
    path.write_text(
        "leakages:\n"
        "  - linkID: P-03\n    startTime: 2022-02-01 00:00\n    peakTime: 2022-02-15 12:00\n"
        "    endTime: 2022-03-01 00:00\n    leakDiameter: 0.011843  # (m)\n"
        "  - {linkID: P-04, startTime: 2022-02-01 00:00, peakTime: 2022-02-01 00:00,\n"
        "     endTime: 2022-03-01 00:00, leakDiameter: 0.02}\n"
    )
    first, second = read_leaks(path)
    assert (first.link_id, first.kind, first.peak) == ("P-03", "incipient", _at("2022-02-15 12:00"))
    assert (second.link_id, second.kind, second.diameter_m) == ("P-04", "abrupt", 0.02)


@pytest.mark.parametrize(
    ("text", "row", "words"),
    [
        (CONFIGURATION.replace("0.022916", "wide"), 14, "wide"),
        (CONFIGURATION.replace("2018-03-05 15:45,", "noon,"), 14, "noon"),
        (CONFIGURATION.replace(", abrupt", ", sudden"), 14, "unknown type 'sudden'"),
        (CONFIGURATION.replace("leakages", "leaks"), None, "no list `leakages`"),
        ("leakages: p1\n", 1, "no list `leakages`"),
        ("leakages:\n- {linkID: p1}\n", 2, "no startTime"),
        ("leakages:\n- [p1\n", 3, "no YAML"),
    ],
)
def test_unusable_configuration_names_its_row(
    tmp_path: Path, text: str, row: int | None, words: str
) -> None:
    """Each bad entry is told with file, row and value."""
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_leaks(path)
    assert (caught.value.row, caught.value.file) == (row, str(path))


def test_leakdb_with_timestamps(tmp_path: Path) -> None:
    """The end names the last step with flow: with 30-minute steps flow ends half an hour later."""
    scenario = _scenario(
        tmp_path,
        kind="incipient",
        start="2018-02-01 10:00:00",
        end="2018-03-01 23:30:00",
        peak="2018-02-10 00:00:00",
    )
    expected = Leak(
        None,
        _at("2018-02-01 10:00"),
        0.130441139276,
        "incipient",
        _at("2018-02-10 00:00"),
        _at("2018-03-02 00:00"),
        node_id="13",
    )
    info = scenario / "Leaks" / "Leak_13_info.csv"
    for path in (scenario, scenario / "Leaks", info):
        assert read_leaks(path) == (expected,)


def test_leakdb_with_step_numbers(tmp_path: Path) -> None:
    """Step numbers count from the scenario's first timestamp, or from a given start."""
    scenario = _scenario(tmp_path, kind="abrupt", start="48", end="95", peak="95")
    with pytest.raises(InputError, match="step number 48 without the time") as caught:
        read_leaks(scenario)
    assert caught.value.row == 6
    (leak,) = read_leaks(scenario, start_at=_at("2018-01-01"))
    assert (leak.start_at, leak.end_at) == (_at("2018-01-02"), _at("2018-01-03"))
    assert leak.peak == leak.start_at, "an abrupt leak has all of its size at once"
    (scenario / "Timestamps.csv").write_text(
        "Index,Timestamp\n1,2017-06-01 00:00:00\n2,2017-06-01 01:00:00\n3,2017-06-01 02:00:00\n"
    )
    (leak,) = read_leaks(scenario, start_at=_at("2018-01-01"))
    assert leak.start_at == _at("2017-06-03")
    assert leak.end_at == _at("2017-06-01") + timedelta(hours=96)


def test_leakdb_scenario_without_leaks(tmp_path: Path) -> None:
    """An empty folder Leaks is a scenario without leaks."""
    (tmp_path / "Scenario-2" / "Leaks").mkdir(parents=True)
    assert read_leaks(tmp_path / "Scenario-2") == ()


@pytest.mark.parametrize(
    ("old", "new", "row", "words"),
    [
        ("Leak Type , abrupt", "Leak Type , odd", None, "unknown type 'odd'"),
        ("Leak Diameter , 0.130441139276", "Leak Diameter , big", 4, "big"),
        ("Leak Start , 2018-02-01", "Leak Start , yesterday", 6, "yesterday"),
        ("Leak Node , 13\n", "", None, "no 'Leak Node'"),
        ("Leak End , 2018-03-01", "Leak End , 2018-01-01", None, "not after its start"),
    ],
)
def test_unusable_leakdb_file_is_named(
    tmp_path: Path, old: str, new: str, row: int | None, words: str
) -> None:
    """Each bad value of an info file is told with file, row and value."""
    day = {"start": "2018-02-01", "end": "2018-03-01", "peak": "2018-03-01"}
    scenario = _scenario(tmp_path, kind="abrupt", **day)
    info = scenario / "Leaks" / "Leak_13_info.csv"
    info.write_text(info.read_text().replace(old, new))
    with pytest.raises(InputError, match=words) as caught:
        read_leaks(scenario)
    assert (caught.value.row, caught.value.file) == (row, str(info))


def test_unusable_timestamps_name_their_row(tmp_path: Path) -> None:
    """A bad time of the scenario is told with its row."""
    scenario = _scenario(tmp_path, kind="abrupt", start="4", end="9", peak="9")
    (scenario / "Timestamps.csv").write_text("Index,Timestamp\n1,first\n")
    with pytest.raises(InputError, match="first") as caught:
        read_leaks(scenario)
    assert caught.value.row == 2


def test_area_stands_in_for_a_diameter(tmp_path: Path) -> None:
    """An info file without diameter is read by its area."""
    day = {"start": "2018-02-01", "end": "2018-03-01", "peak": "2018-03-01"}
    scenario = _scenario(tmp_path, kind="abrupt", **day)
    info = scenario / "Leaks" / "Leak_13_info.csv"
    info.write_text(info.read_text().replace("Leak Diameter , 0.130441139276\n", ""))
    assert read_leaks(scenario)[0].diameter_m == pytest.approx(0.130441, abs=1e-5)


@pytest.mark.parametrize("name", ["none.csv", "leaks.xlsx", "folder"])
def test_other_paths_are_refused(tmp_path: Path, name: str) -> None:
    """Whatever is no schedule is refused with the formats that are."""
    (tmp_path / "leaks.xlsx").write_bytes(b"PK")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="LeakDB scenario folder") as caught:
        read_leaks(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)


def test_unreadable_schedule_names_its_row(tmp_path: Path) -> None:
    """A bad row of a schedule is told with file and row."""
    path = tmp_path / "leaks.csv"
    path.write_text(HEADER + "p1,2019-01-01\n")
    with pytest.raises(InputError, match="p1,2019-01-01") as caught:
        read_leak_list(path)
    assert caught.value.row == 2
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_leak_list(path)
    with pytest.raises(InputError, match="no such file"):
        read_leak_list(tmp_path / "none.csv")


def test_official_schedule_is_readable() -> None:
    """The organizers' 2019 schedule has 23 leaks; p523 is the 20.246 mm one."""
    path = shared_folder() / "data" / "battledim-official" / "truth" / "leaks.csv"
    if not path.is_file():
        pytest.skip("the official data are not here")
    leaks = {k.link_id: k for k in read_leaks(path)}
    assert len(leaks) == 23
    assert leaks["p523"].diameter_m == pytest.approx(0.020246)
