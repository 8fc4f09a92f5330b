"""`leak-assets simulate` and `scenarios`: files and tables as a user gets them."""

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from leak_assets.cli import app
from leak_assets.commands.leak_options import parse_event, parse_fault, parse_leak
from leak_assets.errors import InputError
from leak_assets.exchange.run_folder import MANIFEST, clear_run
from leak_assets.pipeline.context import StepContext
from leak_assets.system.clock import parse_utc

QUICK = ("--network", "net1", "--start", "2019-01-07", "--days", "1")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep everything in a folder of its own."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def invoke(*arguments: object) -> Result:
    """Run a command in this process; what it raises stays visible."""
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)


def simulate(out: Path, *more: object) -> dict:
    """Simulate a day and return the printed JSON."""
    result = invoke("simulate", *QUICK, "--out", out, *more, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_a_town_without_habits_is_told(tmp_path: Path) -> None:
    """Hanoi's model has one demand all year: its sensors would be taken for stuck."""
    asked = ("simulate", "--network", "hanoi", "--start", "2019-01-07", "--days", "1", "--json")
    (still,) = json.loads(invoke(*asked, "--out", tmp_path / "a").output)["remarks"]
    assert still.startswith("11 of 11 sensors stand still")
    assert "--town-seed" in still
    drawn = invoke(*asked, "--out", tmp_path / "b", "--town-seed", 1)
    assert json.loads(drawn.output)["remarks"] == []


def test_every_format_lies_in_the_folder(tmp_path: Path) -> None:
    """All formats at once; the list beside them names every file."""
    formats = [
        x for f in ("csv", "parquet", "leakdb", "ldim", "jsonl", "inp") for x in ("--format", f)
    ]
    told = simulate(tmp_path / "out", "--leak", "21,2019-01-07T06:00,40", *formats)
    for name in (
        "2019_SCADA_Pressures.csv",
        "2019-01-07_SCADA.parquet",
        "leakdb/Scenario-1/Labels.csv",
        "ldim/dataset_info.yaml",
        "windows.jsonl",
        "scenario.inp",
        "truth/leaks.csv",
    ):
        assert name in told["files"]
    on_disk = {
        str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()
    }
    listed = json.loads((tmp_path / "out" / MANIFEST).read_text())["files"]
    assert set(listed) == set(told["files"]) == on_disk - {MANIFEST}
    assert told["leak_volume_m3"] > 100
    lines = (tmp_path / "out" / "windows.jsonl").read_text().splitlines()
    assert len(lines) == 43
    assert {json.loads(line)["is_leak"] for line in lines} == {True, False}


def test_again_gives_the_same_files_and_clear_removes_only_its_own(tmp_path: Path) -> None:
    """A second run replaces, with `--clear` files of other formats go, a stranger's file stays."""
    out = tmp_path / "out"
    first = simulate(out, "--format", "csv", "--format", "inp")
    rows = (out / "2019_SCADA_Pressures.csv").read_bytes()
    (out / "notes.txt").write_text("mine")
    again = simulate(out, "--format", "csv", "--format", "inp")
    assert again == first
    assert (out / "2019_SCADA_Pressures.csv").read_bytes() == rows
    cleared = simulate(out, "--clear")
    assert "scenario.inp" not in cleared["files"]
    assert not (out / "scenario.inp").exists()
    assert (out / "2019_SCADA_Pressures.csv").read_bytes() == rows
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("content", ["no json", "[]", '{"files": ["../victim.txt"]}'])
def test_foreign_list_removes_nothing(tmp_path: Path, content: str) -> None:
    """A list that was tampered with is refused, files outside of the folder are never touched."""
    victim = tmp_path / "victim.txt"
    victim.write_text("stay")
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text(content)
    with pytest.raises(InputError, match="earlier simulation"):
        clear_run(out)
    assert victim.exists()


def test_events_and_faults_are_in_the_truth(tmp_path: Path) -> None:
    """Truth has start and end of the fault and the water of the event; missing cells are empty."""
    out = tmp_path / "out"
    simulate(
        out,
        "--event", "fire_flow,22,2019-01-07T02:00,2019-01-07T04:00,60",
        "--fault", "outage,pressure/10,2019-01-07T05:00,2019-01-07T06:00",
    )  # fmt: skip
    (event,) = csv.DictReader((out / "truth" / "events.csv").open())
    assert (event["kind"], event["is_leak"]) == ("fire_flow", "false")
    assert float(event["volume_m3"]) == pytest.approx(120, rel=0.01)
    (fault,) = csv.DictReader((out / "truth" / "sensor_faults.csv").open())
    assert fault["fault_start"].startswith("2019-01-07T05:00")
    rows = list(csv.DictReader((out / "2019_SCADA_Pressures.csv").open(), delimiter=";"))
    empty = [r["Timestamp"] for r in rows if not r["10"]]
    assert (empty[0], empty[-1], len(empty)) == ("2019-01-07 05:00:00", "2019-01-07 05:55:00", 12)


def test_parquet_is_taken_by_the_landing_zone(tmp_path: Path) -> None:
    """What `--format parquet` writes, `ingest` accepts to the last value."""
    out = tmp_path / "out"
    simulate(out, "--format", "parquet")
    result = invoke("ingest", "--network", "net1", out / "2019-01-07_SCADA.parquet", "--json")
    assert "rejected" not in result.output or '"rejected": 0' in result.output, result.output
    ctx = StepContext.local()
    sent = pl.read_parquet(out / "2019-01-07_SCADA.parquet")
    got = ctx.warehouse.read_all("telemetry.raw_readings", network="net1")
    assert got.height == sent.height
    both = got.join(sent, on=["ts_utc", "sensor_id", "quantity"])
    assert both.height == sent.height


def test_schedule_is_simulated(tmp_path: Path) -> None:
    """Leaks of a BattLeDIM list come beside those of the command line."""
    schedule = tmp_path / "leaks.csv"
    schedule.write_text("21, 2019-01-07 03:00, 2019-01-07 09:00, 0.03, abrupt, 2019-01-07 03:00\n")
    simulate(tmp_path / "out", "--schedule", schedule, "--leak", "22,2019-01-07T06:00,20")
    leaks = (tmp_path / "out" / "truth" / "leaks.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in leaks[1:]] == ["22", "21"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--leak", "21,2019-01-07,40,abrupt"), "has 4 parts"),
        (("--leak", "21,tomorrow,40"), "tomorrow"),
        (("--leak", "9,2019-01-07,40"), "it is a pump"),
        (("--leak", "nowhere,2019-01-07,40"), "no such pipe"),
        (("--leak", "21,2019-01-07,900"), "wider"),
        (("--leak", "21,2019-01-07,40,incipient,2019-01-07,2019-01-06"), "not after its start"),
        (("--event", "fire_flow,22"), "has 2 parts"),
        (("--event", "fire_flow,22,2019-01-07,x,3"), "Invalid isoformat"),
        (("--event", "fire_flow,9,2019-01-07,2019-01-08,3"), "no such junction"),
        (("--fault", "outage,pressure/nowhere,2019-01-07,2019-01-08"), "no such sensor"),
        (("--schedule", "nowhere.csv"), "does not exist"),
        (("--format", "xlsx"), "no format 'xlsx'"),
        (("--step", "2700"), "does not divide"),
    ],
)
def test_bad_input_is_one_error_and_leaves_no_file(tmp_path: Path, arguments, words) -> None:
    """The message names what was typed; the folder stays empty."""
    result = invoke("simulate", *QUICK, "--out", tmp_path / "out", *arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, InputError)
    assert words in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_times_keep_their_offset() -> None:
    """A time with an offset is turned into UTC, one without is UTC."""
    assert parse_utc("2019-01-07T06:00+02:00") == parse_utc("2019-01-07T04:00")
    assert parse_leak("p,2019-01-07T06:00+02:00,5").start_at.hour == 4
    assert parse_event("pump_trip,9,2019-01-07,2019-01-07T01:00Z").end_at.hour == 1
    assert parse_fault("constant,pressure/a,2019-01-07,2019-01-08,1.5").size == 1.5


def test_scenarios_into_the_warehouse_and_clear(home: Path) -> None:
    """Twice gives the same rows; another plan with `--clear` leaves nothing of the first."""
    options = ("scenarios", "--network", "net1", "--batches", "1", "--events", "1", "--json")
    first = json.loads(invoke(*options, "--scenarios", "5").output)
    assert first["rows"]["simulation.scenarios"] == 5
    assert first["rows"]["simulation.event_truth"] > 0
    assert json.loads(invoke(*options, "--scenarios", "5").output) == first
    ctx = StepContext.local()
    count = "SELECT count(*) FROM simulation.telemetry"
    assert ctx.warehouse.sql(count).item() == first["rows"]["simulation.telemetry"]
    assert json.loads(invoke(*options, "--scenarios", "5", "--clear").output) == first
    small = json.loads(invoke(*options, "--scenarios", "2", "--clear").output)
    assert ctx.warehouse.sql(count).item() == small["rows"]["simulation.telemetry"]
