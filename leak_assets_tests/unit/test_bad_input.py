"""Unusable input, whatever the command: one line that names thing and remedy, exit code 2."""

import io
import json
import sys
from pathlib import Path

import pytest

from leak_assets.cli import as_told, run
from leak_assets.errors import HydraulicError, InputError
from leak_assets.pipeline.context import StepContext, new_run_id
from leak_assets.settings import Settings

SIMULATE = ["simulate", "--network", "hanoi", "--days", "1", "--step", "3600", "--json"]
AT = "2019-01-01T05:00,2019-01-01T08:00"
MODEL = """[JUNCTIONS]
 a 0 1
 b 0 1
 c 0 1
[RESERVOIRS]
 r 50
[PIPES]
 p1 r a 100 300 100 0 Open
 p2 a b 400 300 100 0 Open
 p3 b c 400 300 100 0 Open
[OPTIONS]
 Units LPS
 Headloss H-W
[END]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must refuse its input; return its one line."""
    assert run(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--start", "0001-01-01"], "years 1970 to 2200"),
        (["--start", "9999-12-31"], "years 1970 to 2200"),
        (["--days", "1000000000"], "years 1970 to 2200"),
        (["--days", "10000", "--step", "1"], "GB of memory"),
        (["--leak", "12,2019-01-01,1e308"], "diameter"),
        (["--leak", "12,0001-01-01T00:00+10:00,20"], "years 1 to 9999"),
        (["--event", f"fire_flow,12,{AT},1e9"], "up to 100,000 .m3/h"),
        (["--event", f"valve_operation,1,{AT}"], "cut off from every source: 10, 11"),
        (["--event", f"meter_swap,1,{AT},1e9"], "up to 1,000 .factor"),
        (["--schedule", f"/{'a' * 300}.csv"], "too long"),
        (["--format", "nosuch"], "no format 'nosuch'"),
        (["--network", "a" * 300], "300 letters"),
        (["--network", f"{'a' * 300}.inp"], "too long"),
        (["--network", "a\0b.inp"], "null"),
    ],
    ids=str,
)
def test_simulate_refuses(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """Times, sizes, places and names that nothing can be made of."""
    given = [*SIMULATE, "--start", "2019-01-01", "--out", str(home / "out"), *arguments]
    assert words.replace(".", "(", 1) in (line := refused(given, capsys)) or words in line


@pytest.mark.parametrize("command", ["simulate", "simulate-plant", "simulate-household"])
@pytest.mark.parametrize("out", ["file", "file/under", "/proc/x", "a" * 300])
def test_a_folder_that_cannot_be_written_is_told(
    home: Path, capsys: pytest.CaptureFixture[str], command: str, out: str
) -> None:
    """A file, below a file, a name too long, a folder of the system."""
    Path("file").write_text("")
    more = ["--network", "hanoi", "--start", "2019-01-01"] if command == "simulate" else []
    assert "--out" in refused([command, "--out", out, *more], capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        [*SIMULATE, "--start", "2019-01-01", "--out", "x", "--seed", "-1"],
        [*SIMULATE, "--start", "2019-01-01", "--out", "x", "--town-seed", "-1"],
        [*SIMULATE, "--start", "2019-01-01", "--out", "x", "--seed", str(2**63)],
        [*SIMULATE, "--start", "2019-01-01", "--out", "x", "--exponent", "nan"],
        [*SIMULATE, "--start", "2019-01-01", "--out", "x", "--background", "inf"],
        ["scenarios", "--network", "hanoi", "--seed", "-1"],
        ["train", "--network", "hanoi", "--seed", "-1"],
        ["place-sensors", "--network", "hanoi", "--seed", "-1"],
        ["simulate-plant", "--out", "x", "--seed", "-1"],
        ["simulate-household", "--out", "x", "--seed", "-1"],
        ["demo", "--seed", "-1"],
        ["dev", "--port", "99999999"],
    ],
    ids=" ".join,
)
def test_numbers_out_of_range_name_the_option(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """The option's own bounds, before anything is read or made."""
    assert run(arguments) == 2
    assert arguments[-2] in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("p2 a b 400 300 100 0 Open", "p2 a b 400 300 100 0 Closed", "cut off from every source"),
        ("p2 a b 400", "p2 a b 0", "pipe 'p2' has no length"),
        ("p2 a b 400 300", "p2 a b 400 1e-300", "diameter"),
        ("[OPT", "[PATTERNS]\n 1 nan 1\n[OPT", "pattern '1'"),
    ],
)
def test_a_model_without_a_solution_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, words: str
) -> None:
    """EPANET's refusal, or ours before it."""
    Path("town.inp").write_text(MODEL.replace(old, new))
    given = [*SIMULATE, "--network", "town.inp", "--start", "2019-01-01", "--out", "out"]
    assert words in refused(given, capsys)


@pytest.mark.parametrize("command", ["ingest", "train", "evaluate", "signatures", "scenarios"])
def test_tables_need_a_registered_network(
    home: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A file by path has no tables; the line says how it gets them. Nothing was registered."""
    Path("town.inp").write_text(MODEL)
    Path("x.csv").write_text("Timestamp;a\n")
    files = ["x.csv"] if command == "ingest" else []
    line = refused([command, *files, "--network", "town.inp"], capsys)
    assert "leak-assets networks register town.inp" in line
    assert not list(home.glob("var/networks/*"))


def test_a_model_without_demand_has_no_leak_sizes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Leaks are measured against demand; without any the line says what to give."""
    Path("town.inp").write_text(MODEL.replace(" 0 1\n", " 0 0\n"))
    assert run(["networks", "register", "town.inp"]) == 0
    capsys.readouterr()
    given = ["scenarios", "--network", "town", "--batches", "1", "--scenarios", "2", "--json"]
    assert "no demand" in refused(given, capsys)


@pytest.mark.parametrize("place", ["home", "home/warehouse", "home/warehouse/lake"])
def test_a_file_where_a_folder_is_needed(
    home: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """The line names the file and says to move it."""
    path = home.parent / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    line = refused(["sql", "SELECT 1"], capsys)
    assert "A file lies where a folder is needed" in line
    assert str(path) in line


def test_var_that_is_a_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Registering needs `var`."""
    home.mkdir()
    (home / "var").write_text("")
    Path("town.inp").write_text(MODEL)
    assert "A file lies where" in refused(["networks", "register", "town.inp"], capsys)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write")
def test_a_home_that_cannot_be_made(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the environment points."""
    monkeypatch.setenv("LEAK_ASSETS_HOME", "/dev/null/home")
    assert "/dev/null" in refused(["sql", "SELECT 1"], capsys)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM read_text('/etc/hostname')", "/etc/hostname"),
        ("COPY (SELECT 1) TO '{lake}/telemetry/gaps/x.parquet'", "COPY"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/x.parquet'", "COPY"),
        ("DROP VIEW telemetry.gaps", "DROP"),
        ("CREATE TABLE x AS SELECT 1", "CREATE"),
        ("SELECT 1; DROP VIEW telemetry.gaps", "DROP"),
        ("SET enable_external_access = true", "SET"),
        ("ATTACH '{lake}/x.duckdb'", "ATTACH"),
        ("SELECT TIMESTAMP '4000-01-01 (BC)' AS t", "years 1 to 9999"),
        ("SELECT 'infinity'::TIMESTAMPTZ AS t", "years 1 to 9999"),
        ("SELECT [DATE '20000-01-01'] AS t", "years 1 to 9999"),
        ("SELECT {{'a': TIMESTAMP '20000-01-01'}} AS t", "years 1 to 9999"),
        (" ", "the query is empty"),
        ("SELEC 1", "syntax error"),
    ],
)
def test_sql_reads_the_lake_alone(
    home: Path, capsys: pytest.CaptureFixture[str], query: str, words: str
) -> None:
    """Nothing else of the machine, no write that looks like one done, no time that panics."""
    lake = home / "warehouse" / "lake"
    assert words in refused(["sql", query.format(lake=lake)], capsys)
    assert not list(lake.glob("**/x.*"))


def test_sql_exports_a_result(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV and Parquet by suffix, and no other."""
    import polars as pl

    for name in ("a.csv", "a.parquet"):
        assert run(["sql", "SELECT 1 AS n, 'x' AS t", "--out", name]) == 0
    assert pl.read_csv("a.csv").rows() == pl.read_parquet("a.parquet").rows() == [(1, "x")]
    capsys.readouterr()
    assert ".csv or .parquet" in refused(["sql", "SELECT 1", "--out", "a.xlsx"], capsys)
    assert ".parquet" in refused(["sql", "SELECT [1] AS l", "--out", "b.csv"], capsys)


def test_clean_asks_first_and_keeps_the_landing_zone(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an answer nothing goes; with `--yes` what runs make again."""
    kept = [home / "var" / "landing" / "hanoi" / "x.csv", home / "MODELS" / "m" / "model.onnx"]
    gone = [home / "var" / "cache" / "x", home / "var" / "dagster" / "x"]
    for file in kept + gone:
        file.parent.mkdir(parents=True)
        file.write_text("")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert run(["warehouse", "clean"]) == 1
    assert all(file.exists() for file in kept + gone)
    assert run(["warehouse", "clean", "--yes", "--json"]) == 0
    assert [file.exists() for file in kept + gone] == [True, True, False, False]


def test_a_setting_that_cannot_be_used_names_its_variable(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value stays untold: it may be a secret."""
    monkeypatch.setenv("LLM_TIMEOUT_S", "secretive")
    line = refused(["sql", "SELECT 1"], capsys)
    assert "LLM_TIMEOUT_S" in line
    assert "secretive" not in line


def test_what_the_user_can_mend_is_told_and_nothing_else() -> None:
    """A full disk and a model without solution have a remedy; a fault of the program has none."""
    assert "make room" in str(as_told(OSError(28, "No space left on device", "/x")))
    assert "Mend the network model" in str(as_told(HydraulicError("no balance at n1")))
    assert "fewer days" in str(as_told(MemoryError("2 TiB")))
    assert as_told(OSError(5, "Input/output error")) is None
    assert "right" in str(as_told(OSError("Permission denied (os error 13): /x")))
    assert as_told(FileNotFoundError(2, "No such file", "/x")) is None
    told = InputError("a", remedy="b")
    assert as_told(told) is told


def test_every_run_has_an_identifier_of_its_own(tmp_path: Path) -> None:
    """It says what ran and when; two runs of one second differ."""
    made = {new_run_id("ingest") for _ in range(100)}
    assert len(made) == 100
    assert all(name.startswith("ingest-20") for name in made)
    settings = Settings(LEAK_ASSETS_HOME=tmp_path)
    runs = [StepContext.local(settings, command="train").warehouse.run_id for _ in range(2)]
    assert runs[0] != runs[1]
    assert all(name.startswith("train-") for name in runs)


def test_a_damaged_partition_is_told_by_what_reads_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Flipped bytes go no further; the line says how the partition comes back, and it does."""
    home.mkdir()
    for hour in (0, 1):
        steps = [f"2019-03-04 {hour:02d}:{5 * i:02d}:00;30,25" for i in range(12)]
        Path(f"{hour}_Pressures.csv").write_text("\n".join(["Timestamp;4", *steps, ""]))
    assert run(["ingest", "0_Pressures.csv", "--network", "hanoi", "--json"]) == 0
    (raw,) = (home / "warehouse" / "lake" / "telemetry" / "raw_readings").glob("date=*")
    (readings,) = (home / "warehouse" / "lake" / "telemetry" / "readings").glob("date=*")
    whole = raw.read_bytes()
    raw.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    capsys.readouterr()
    line = refused(["ingest", "1_Pressures.csv", "--network", "hanoi", "--json"], capsys)
    assert str(raw) in line
    assert "deliver the exports of that day again" in line
    raw.write_bytes(whole)
    readings.write_bytes(b"")
    # A day that cannot be made stops no other; the answer names its file.
    assert run(["ingest", "1_Pressures.csv", "--network", "hanoi", "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert str(readings) in problem
    readings.unlink()
    assert run(["ingest", "1_Pressures.csv", "--network", "hanoi", "--json"]) == 0
    assert run(["warehouse", "check", "--json"]) == 0


def test_listing_incidents_names_a_damaged_partition(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """DuckDB's words are not what an operator is left with."""
    assert run(["incidents", "list", "--json"]) == 0
    folder = home / "warehouse" / "lake" / "incidents" / "incident_events"
    (folder / "date=2019-03-04__network=hanoi.parquet").write_bytes(b"PAR1")
    capsys.readouterr()
    line = refused(["incidents", "list"], capsys)
    assert "date=2019-03-04__network=hanoi.parquet: the partition is damaged" in line
