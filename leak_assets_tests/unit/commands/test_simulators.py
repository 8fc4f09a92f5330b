"""`simulate-plant` and `simulate-household`: what they write, print and refuse."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result
from typer.testing import CliRunner

from leak_assets.cli import app
from leak_assets.commands.simulators import parse_fault, parse_vacation
from leak_assets.errors import InputError
from leak_assets.household.simulator.simulator import simulate_history
from leak_assets.plant.simulator.simulator import simulate_plant


def run(*arguments: object) -> Result:
    """Run `leak-assets` in this process."""
    return CliRunner().invoke(app, [str(part) for part in arguments])


def done(*arguments: object) -> str:
    """Return what a command prints that must succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_minute_of_the_plant_as_csv(tmp_path: Path) -> None:
    """SIM11: 30 readings x 3 parameters; the line says where the files are."""
    told = done("simulate-plant", "--out", tmp_path, "--duration", 60)
    first, *files = told.splitlines()
    assert first == "60 s of 1 sensor every 2 s: 90 readings, 0 anomalies"
    assert [line.strip() for line in files] == [
        str(tmp_path / "readings.csv"),
        str(tmp_path / "labels.csv"),
    ]
    lines = (tmp_path / "readings.csv").read_text().splitlines()
    assert lines[0] == "ts_utc,sensor_id,quantity,value,unit"
    assert lines[1].startswith("2025-05-28T00:00:00Z,wtf-pipe-1,temperature,")
    assert len(lines) == 91
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "readings.csv"]


def test_plant_options_reach_the_plant(tmp_path: Path) -> None:
    """Every option has its effect: the Parquet files are the frames of the function."""
    told = done(
        "simulate-plant", "--out", tmp_path / "new" / "folder", "--start", "2024-02-03T04:05",
        "--duration", 3000, "--sensors", 2, "--step", 5, "--anomaly-rate", 40, "--kind", "spike",
        "--kind", "dropout", "--seed", 9, "--format", "parquet", "--json",
    )  # fmt: skip
    expected = simulate_plant(
        3000,
        9,
        start_at=datetime(2024, 2, 3, 4, 5, tzinfo=UTC),
        sensors=2,
        step_s=5,
        anomaly_rate_per_h=40,
        kinds=("spike", "dropout"),
    )
    summary = json.loads(told)
    readings, labels = (pl.read_parquet(file) for file in summary["files"])
    assert readings.equals(expected.readings.rename({"parameter": "quantity"}))
    assert labels.equals(expected.labels)
    assert (summary["readings"], summary["anomalies"]) == (readings.height, labels.height)
    assert labels.height > 5


def test_plant_messages_are_lines_of_json(tmp_path: Path) -> None:
    """One message per time and sensor with all parameters, and the labels beside them."""
    done(
        "simulate-plant", "--out", tmp_path, "--duration", 600, "--anomaly-rate", 60,
        "--kind", "spike", "--format", "jsonl",
    )  # fmt: skip
    sent = [json.loads(line) for line in (tmp_path / "readings.jsonl").open()]
    assert len(sent) == 300
    assert set(sent[0]) == {"timestamp", "sensor_id", "temperature", "pressure", "flow"}
    label = json.loads((tmp_path / "labels.jsonl").read_text().splitlines()[0])
    assert label["kind"] == "spike"
    assert label["start_at"] in {message["timestamp"] for message in sent}


def test_household_files_hold_the_history(tmp_path: Path) -> None:
    """Every option has its effect; the printed volumes are those of the labels."""
    told = done(
        "simulate-household", "--out", tmp_path, "--days", 4, "--first-day", "2019-03-29",
        "--step", 30, "--people", 2, "--zone", "America/New_York", "--no-irrigation",
        "--slow-leak", "2019-03-30T02:00,2019-03-31T02:00Z,0.5", "--flapper", "2019-03-31",
        "--vacation", "2019-04-01,2019-04-02", "--seed", 4, "--format", "parquet", "--json",
    )  # fmt: skip
    summary = json.loads(told)
    flow, labels, occupancy = (pl.read_parquet(file) for file in summary["files"])
    assert [Path(file).name for file in summary["files"]] == [
        "flow.parquet",
        "labels.parquet",
        "occupancy.parquet",
    ]
    assert flow.height == 4 * 2880
    assert flow["ts_utc"][0] == datetime(2019, 3, 29, 4, tzinfo=UTC)
    leak, flapper = labels.filter("is_fault").sort("start_at").to_dicts()
    assert leak["start_at"] == datetime(2019, 3, 30, 6, tzinfo=UTC)
    assert leak["end_at"] == datetime(2019, 3, 31, 2, tzinfo=UTC)
    assert leak["volume_l"] == pytest.approx(0.5 * 20 * 60)
    assert flapper["start_at"] == datetime(2019, 3, 31, 4, tzinfo=UTC)
    assert occupancy["people"].unique().sort().to_list() == [0, 2]
    assert occupancy["occupancy"][-1] == "vacation"
    assert "irrigation" not in set(labels["kind"])
    total = labels["volume_l"].sum() / 1000
    assert summary["used_m3"] + summary["lost_m3"] == pytest.approx(total)
    assert (summary["uses"], summary["faults"]) == (labels.height - 2, 2)


def test_household_defaults_and_csv(tmp_path: Path) -> None:
    """Defaults are those of the function; the line says what is in the files."""
    told = done("simulate-household", "--out", tmp_path, "--days", 3)
    expected = simulate_history(3)
    litres = expected.labels["volume_l"].sum()
    assert told.startswith(
        f"3 days of 3 people: {expected.labels.height} uses ({litres / 1000:.1f} m3), 0 faults"
    )
    flow = pl.read_csv(tmp_path / "flow.csv")
    assert flow["flow_l_per_min"].to_list() == expected.flow["flow_l_per_min"].to_list()
    assert flow["ts_utc"][0] == "2019-02-28T23:00:00Z"
    assert str(tmp_path / "occupancy.csv") in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate-plant", "--anomaly-rate", "-1"], ["-1", "0 for none"]),
        (["simulate-plant", "--step", "0"], ["step_s = 0"]),
        (["simulate-plant", "--kind", "flood"], ["flood", "spike, drift, dropout"]),
        (["simulate-plant", "--format", "xml"], ["'xml'", "csv, parquet, jsonl"]),
        (["simulate-household", "--days", "0"], ["days = 0"]),
        (["simulate-household", "--zone", "Mars"], ["'Mars'"]),
        (["simulate-household", "--format", "xml"], ["'xml'"]),
        (["simulate-household", "--slow-leak", "soon"], ["'soon'", "START[,END[,L_PER_MIN]]"]),
        (["simulate-household", "--slow-leak", "0001-01-01"], ["0001-01-01", "START"]),
        (["simulate-household", "--flapper", "2019-03-02,,9"], ["9.0", "less than 6"]),
        (["simulate-household", "--vacation", "2019-03-02"], ["FIRST_DAY,LAST_DAY"]),
    ],
    ids=lambda value: " ".join(value[:3]) if value[0].startswith("sim") else "",
)
def test_unusable_input_is_named_and_nothing_is_written(
    arguments: list[str], words: list[str], tmp_path: Path
) -> None:
    """The error names value and remedy; there is no folder afterwards."""
    result = run(*arguments, "--out", tmp_path / "out")
    assert isinstance(result.exception, InputError), result.output
    assert all(word in str(result.exception) for word in words), result.exception
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    result = run("simulate-plant", "--out", tmp_path / "file", "--duration", 10)
    assert isinstance(result.exception, InputError)
    assert str(tmp_path / "file") in str(result.exception)


def test_faults_and_vacations_on_the_command_line() -> None:
    """All lengths of START[,END[,L_PER_MIN]]; times are local, or as their offset says."""
    fault = parse_fault("slow_leak", "2019-07-01T06:00", "Europe/Berlin")
    assert fault.start_at == datetime(2019, 7, 1, 4, tzinfo=UTC)
    assert (fault.end_at, fault.flow) == (None, 1.1)
    fault = parse_fault("toilet_flapper", "2019-07-01T06:00Z, 2019-07-02, 0.3", "Europe/Berlin")
    assert fault.start_at == datetime(2019, 7, 1, 6, tzinfo=UTC)
    assert fault.end_at == datetime(2019, 7, 1, 22, tzinfo=UTC)
    assert fault.flow == 0.3
    assert parse_vacation("2019-07-01, 2019-07-14") == (date(2019, 7, 1), date(2019, 7, 14))
    for text in ("2019-07-01,2019-07-02,0.3,more", "2019-07-01,,much", ""):
        with pytest.raises(InputError, match="START"):
            parse_fault("slow_leak", text, "UTC")
