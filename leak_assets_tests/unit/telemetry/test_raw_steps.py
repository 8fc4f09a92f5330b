"""The raw step: which deliveries it takes, what it writes of them, what it tells."""

import gzip
import hashlib
import io
import os
import re
import resource
import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.runner import run_step
from leak_assets.quality.reasons import Reason
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.system.files import as_input_error
from leak_assets.telemetry.raw import merge_raw
from leak_assets.telemetry.raw_steps import take_deliveries
from leak_assets.telemetry.sources.intake import Attempts, plan_runs
from leak_assets.telemetry.sources.landing import LandingFolder
from leak_assets.telemetry.steps import READINGS_STEP
from leak_assets.warehouse import Warehouse, Written

Lines = Callable[..., list[str]]
DAY = date(2019, 3, 4)
START = datetime(2019, 3, 4, tzinfo=UTC)


@pytest.fixture
def told() -> list[str]:
    """Return what the steps of `ctx` told."""
    return []


@pytest.fixture
def ctx(tmp_path: Path, told: list[str]) -> StepContext:
    """Return the steps' context in an empty home."""
    return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path), run_id="r", progress=told.append)


@pytest.fixture
def cookbook_query() -> Callable[[str], str]:
    """Return a reader of the query below a remark of the SQL cookbook."""
    text = (Path(__file__).parents[3] / "warehouse" / "sql" / "cookbook.sql").read_text()

    def query(remark: str) -> str:
        found = re.search(rf"-- [^\n]*{remark}[^;]*", text)
        assert found, remark
        return found[0]

    return query


def land(
    ctx: StepContext,
    content: bytes | list[str],
    name: str = "x_Pressures.csv",
    *,
    folder: str = "hanoi",
    changed: datetime = datetime(2020, 1, 1, tzinfo=UTC),
) -> Path:
    """Put a file into the landing zone as another program would, with a time of its own."""
    data = content if isinstance(content, bytes) else ("\n".join(content) + "\n").encode()
    target = ctx.settings.landing_dir / folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    os.utime(target, (changed.timestamp(), changed.timestamp()))
    return target


def taken(ctx: StepContext) -> dict[str, dict[str, Any]]:
    """Return the ledger's rows by file name."""
    rows = ctx.warehouse.read_all("telemetry.ingest_ledger", network="hanoi").to_dicts()
    return {row["file_path"]: row for row in rows}


def waiting(ctx: StepContext) -> list[str]:
    """Return the names of the files that wait."""
    return [file.name for file in LandingFolder(ctx.settings, ctx.warehouse).waiting()]


def take(ctx: StepContext, *days: date) -> list[Written]:
    """Take Hanoi's waiting files of some days."""
    return take_deliveries(ctx, network_site("hanoi", ctx.settings), days or (DAY,))


def validate(ctx: StepContext) -> None:
    """Make the day's readings of the raw log."""
    run_step(READINGS_STEP, ctx, ctx.network("hanoi"), [day_partition(DAY, "hanoi")])


def test_a_taken_file_is_in_the_ledger_and_moved(ctx: StepContext, csv_lines: Lines) -> None:
    """Name, hash, days and counts of a delivery; its file lies in `done/<day of receipt>/`."""
    path = land(ctx, csv_lines(ids=("12",)))
    data = path.read_bytes()
    take(ctx)
    row = taken(ctx)["hanoi/x_Pressures.csv"]
    assert row["file_sha256"] == hashlib.sha256(data).hexdigest()
    assert (row["source"], row["days"], row["status"]) == ("file", "2019-03-04", "ingested")
    assert (row["readings"], row["accepted"], row["duplicates"]) == (4, 4, 0)
    assert not path.exists()
    [moved] = (path.parent / "done").rglob("*.csv")
    assert moved.read_bytes() == data
    assert moved.parent.name == row["received_at"].date().isoformat()
    assert ctx.warehouse.partitions("telemetry.ingest_ledger") == [
        {"date": moved.parent.name, "network": "hanoi"}
    ]


def test_every_validated_row_finds_its_raw_row_and_its_file(
    ctx: StepContext, csv_lines: Lines
) -> None:
    """Source and message lead from a reading to the raw log, and from there to the ledger."""
    land(ctx, csv_lines(ids=("12",)))
    take(ctx)
    validate(ctx)
    found = ctx.warehouse.sql(
        "SELECT count(*) AS n, min(l.file_path) AS file FROM telemetry.readings r"
        " JOIN telemetry.raw_readings w USING (network, sensor_id, quantity, ts_utc, source,"
        " message_id) JOIN telemetry.ingest_ledger l"
        " ON l.file_sha256 = split_part(w.message_id, ':', 1)"
        " WHERE r.value_si = w.value AND r.received_at = w.received_at"
    )
    assert found.row(0) == (4, "hanoi/x_Pressures.csv")


def test_an_impossible_value_is_flagged_and_told_with_its_file(
    ctx: StepContext, csv_lines: Lines
) -> None:
    """It is no loss of the delivery: ledger and raw log have it, and `not_used` names its line."""
    path = land(ctx, with_impossible(csv_lines))
    take(ctx)
    validate(ctx)
    entry = taken(ctx)["hanoi/x_Pressures.csv"]
    assert (entry["accepted"], entry["quarantined"]) == (4, 0)
    row = flagged(ctx)
    assert (row["value_si"], row["quality"], row["mask"]) == (9999.0, "bad", 0)
    [told] = ctx.warehouse.sql("SELECT * FROM telemetry.not_used").to_dicts()
    assert told["file_path"] == "hanoi/x_Pressures.csv"
    assert (told["file_row"], told["raw_text"], told["reason"]) == (3, "9999,00", "out_of_range")
    assert told["message"].startswith("hanoi/x_Pressures.csv, row 3, column pressure/12: `9999,00`")
    # A ledger that is gone takes the name with it, not the problem.
    day = day_partition(entry["received_at"].date(), "hanoi")
    ctx.warehouse.path("telemetry.ingest_ledger", day).unlink()
    unnamed = ctx.warehouse.sql("SELECT file_path, file_row FROM telemetry.not_used")
    assert unnamed.rows() == [(f"sha256:{entry['file_sha256'][:16]}", 3)]
    assert not path.exists()


def test_what_an_older_version_refused_comes_in_with_its_file(
    ctx: StepContext, csv_lines: Lines
) -> None:
    """Impossible values were once left out: the same file again adds them, and then no more."""
    lines = with_impossible(csv_lines)
    land(ctx, lines)
    take(ctx)
    where = day_partition(DAY, "hanoi")
    old = ctx.warehouse.read("telemetry.raw_readings", where)
    assert old is not None
    kept = old.filter(pl.col("raw_text") != "9999,00")
    ctx.warehouse.write("telemetry.raw_readings", where, kept, inputs=[], code_version="1")
    validate(ctx)
    for received in (datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 3, tzinfo=UTC)):
        land(ctx, lines, changed=received)
        take(ctx)
        validate(ctx)
        raw = ctx.warehouse.read("telemetry.raw_readings", where)
        assert raw is not None
        assert raw.drop("received_at").equals(old.drop("received_at"))
        assert flagged(ctx)["value_si"] == 9999.0
    ledger = ctx.warehouse.read_all("telemetry.ingest_ledger", network="hanoi")
    assert sorted(ledger["duplicates"]) == [0, 3]


def with_impossible(csv_lines: Lines) -> list[str]:
    """Return an export of one sensor whose second value no network can have."""
    lines = csv_lines(ids=("12",))
    lines[2] = lines[2].split(";")[0] + ";9999,00"
    return lines


def flagged(ctx: StepContext) -> dict[str, Any]:
    """Return the one reading that is flagged `range`."""
    readings = ctx.warehouse.read("telemetry.readings", day_partition(DAY, "hanoi"))
    assert readings is not None
    [row] = readings.filter(pl.col("flags") == int(Reason.RANGE)).to_dicts()
    return row


def test_every_curated_row_joins_to_one_raw_row(
    ctx: StepContext, csv_lines: Lines, cookbook_query: Callable[[str], str]
) -> None:
    """A line of many sensors, clocks off the grid, corrections, a clock corrected: one row each."""
    late = START + timedelta(minutes=5, seconds=-37)
    ids = ctx.network("hanoi").layout.ids("pressure")[:3]
    lines = csv_lines(40, ids=ids)
    del lines[20:22]
    land(ctx, lines)
    land(ctx, csv_lines(6, ids=ids, start=late), "late_Pressures.csv")
    land(ctx, csv_lines(9, ids=ids[1:]), "again_Pressures.csv")
    take(ctx)
    # The same lines with their message ids once more, as with a clock that was set right.
    page = ctx.warehouse.read("telemetry.raw_readings", day_partition(DAY, "hanoi"))
    assert page is not None
    moved = page.head(20).with_columns(
        pl.col("ts_utc") + timedelta(hours=9), pl.col("received_at") + timedelta(hours=1)
    )
    both = merge_raw(page, moved)[0]
    ctx.warehouse.write("telemetry.raw_readings", day_partition(DAY, "hanoi"), both)
    validate(ctx)
    estimated = ctx.warehouse.sql("SELECT count(*) FROM telemetry.readings WHERE source IS NULL")
    per_row = ctx.warehouse.sql(cookbook_query("raw row of every reading"))
    delivered = per_row.filter(pl.col("source").is_not_null())
    assert delivered.height > 100
    assert estimated.item() > 0
    assert set(delivered["raw_rows"]) == {1}
    assert set(per_row.filter(pl.col("source").is_null())["raw_rows"]) == {0}
    assert per_row.height == delivered.height + estimated.item()


def test_full_disk_loses_nothing(ctx: StepContext, csv_lines: Lines) -> None:
    """What the disk refuses is one error with a way out; the file waits and is taken later."""
    land(ctx, csv_lines(100, ids=("12",)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    try:
        with pytest.raises(OSError, match="too large") as error:
            take(ctx)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    told = as_input_error(error.value)
    assert told is not None
    assert told.remedy
    assert waiting(ctx) == ["hanoi/x_Pressures.csv"]
    assert not list(ctx.warehouse.lake.rglob("*.tmp"))
    take(ctx)
    assert waiting(ctx) == []
    assert ctx.warehouse.read_all("telemetry.raw_readings").height == 100
    assert taken(ctx)["hanoi/x_Pressures.csv"]["duplicates"] == 0


def test_folder_spelled_otherwise_is_its_network(ctx: StepContext, csv_lines: Lines) -> None:
    """`HANOI` is hanoi in every table."""
    land(ctx, csv_lines(), folder="HANOI")
    take(ctx)
    raw = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
    assert raw["network"].unique().to_list() == ["hanoi"]
    assert taken(ctx).keys() == {"HANOI/x_Pressures.csv"}


def latest_value(ctx: StepContext) -> list[str]:
    """Return the value of node 12 at midnight in each delivery, in their order."""
    raw = ctx.warehouse.read("telemetry.raw_readings", day_partition(DAY, "hanoi"))
    assert raw is not None
    at = (pl.col("sensor_id") == "12") & (pl.col("ts_utc") == START)
    return raw.filter(at).sort("received_at")["raw_text"].to_list()


def test_file_with_a_time_of_1980_is_taken(ctx: StepContext, csv_lines: Lines) -> None:
    """Archives without times give files of 1980; when they came is another matter."""
    land(ctx, csv_lines(ids=("12",)), changed=datetime(1980, 1, 1, tzinfo=UTC))
    take(ctx)
    [row] = ctx.warehouse.read_all("telemetry.ingest_ledger").to_dicts()
    assert (row["status"], row["accepted"], row["quarantined"]) == ("ingested", 4, 0)


@pytest.mark.parametrize("together", [True, False], ids=["one run", "two runs"])
def test_correction_with_an_older_time_counts(
    ctx: StepContext, csv_lines: Lines, *, together: bool
) -> None:
    """`cp -p` and `rsync -t` keep the sender's time; what came last counts nevertheless."""
    lines = csv_lines()
    land(ctx, lines, "b_Pressures.csv", changed=datetime(2020, 5, 1, tzinfo=UTC))
    if not together:
        take(ctx)
    lines[1] = lines[1].replace("30,00", "31,00")
    time.sleep(0.01)
    land(ctx, lines, "a_Pressures.csv", changed=datetime(2020, 4, 1, tzinfo=UTC))
    take(ctx)
    assert latest_value(ctx) == ["30,00", "31,00"]
    validate(ctx)
    readings = ctx.warehouse.read("telemetry.readings", day_partition(DAY, "hanoi"))
    assert readings is not None
    at = (pl.col("sensor_id") == "12") & (pl.col("ts_utc") == START)
    assert readings.filter(at)["value_si"].to_list() == [31.0]


def test_same_content_again_changes_nothing(ctx: StepContext, csv_lines: Lines) -> None:
    """Delivered anew: no partition changes; under another name it is counted, as duplicates."""
    land(ctx, csv_lines(ids=("12",)))
    take(ctx)
    raw = ctx.warehouse.path("telemetry.raw_readings", day_partition(DAY, "hanoi"))
    before = raw.read_bytes()
    land(ctx, csv_lines(ids=("12",)), changed=datetime(2021, 1, 1, tzinfo=UTC))
    assert take(ctx) == []
    assert waiting(ctx) == []
    land(ctx, csv_lines(ids=("12",)), "again_Pressures.csv")
    take(ctx)
    assert raw.read_bytes() == before
    again = taken(ctx)["hanoi/again_Pressures.csv"]
    assert (again["accepted"], again["duplicates"]) == (4, 4)


def test_rejected_file_again_changes_nothing(ctx: StepContext) -> None:
    """What was refused is refused once, however often it comes."""
    land(ctx, b"nonsense")
    day = datetime.now(UTC).date()
    assert {w.record.table for w in take(ctx, day)} == {
        "telemetry.quarantine",
        "telemetry.ingest_ledger",
    }
    land(ctx, b"nonsense")
    assert take(ctx, day) == []


def test_a_deleted_day_comes_back_with_its_file(ctx: StepContext, csv_lines: Lines) -> None:
    """The ledger knows the file; what the raw log lacks of it is taken nevertheless."""
    path = land(ctx, csv_lines())
    take(ctx)
    raw = ctx.warehouse.path("telemetry.raw_readings", day_partition(DAY, "hanoi"))
    before = pl.read_parquet(raw)
    raw.unlink()
    [moved] = (path.parent / "done").rglob("*.csv")
    shutil.copy(moved, path)
    os.utime(path, (1e9, 1e9))
    take(ctx)
    assert pl.read_parquet(raw).drop("received_at").equals(before.drop("received_at"))


def test_repeated_run_gives_the_same_time_of_receipt(
    ctx: StepContext, csv_lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the ledger is written and repeated: rows of both runs agree."""
    days = [DAY, DAY + timedelta(days=1)]
    land(ctx, csv_lines(4, ids=("12",), start=START + timedelta(hours=23, minutes=50)))
    original, left = Warehouse.write, [1]

    def dies(self: Warehouse, *args: object, **kwargs: object) -> object:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return original(self, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as interrupted:
        interrupted.setattr(Warehouse, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            take(ctx, *days)
    take(ctx, *days)
    raw = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
    assert (raw.height, raw["received_at"].n_unique()) == (4, 1)


@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_killed_anywhere_and_repeated_ends_the_same(
    ctx: StepContext, csv_lines: Lines, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    """Killed after raw log, quarantine or ledger: one row each, nothing counted as a duplicate."""
    lines = csv_lines(ids=("12",))
    lines[1] = lines[1].replace("30,00", "x")
    land(ctx, lines)
    original, left = Warehouse.write, [allowed]

    def dies(self: Warehouse, *args: object, **kwargs: object) -> object:
        written = original(self, *args, **kwargs)  # type: ignore[arg-type]
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return written

    with monkeypatch.context() as interrupted:
        interrupted.setattr(Warehouse, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            take(ctx)
    take(ctx)
    assert waiting(ctx) == []
    [row] = taken(ctx).values()
    assert (row["accepted"], row["quarantined"], row["duplicates"]) == (3, 1, 0)
    assert ctx.warehouse.read_all("telemetry.raw_readings").height == 3
    assert ctx.warehouse.read_all("telemetry.quarantine").height == 1
    assert len(list(ctx.settings.landing_dir.rglob("*.csv"))) == 1


def test_a_file_is_taken_whole_or_not_at_all(
    ctx: StepContext, told: list[str], csv_lines: Lines
) -> None:
    """A run of fewer days than the file has leaves it to one that has them all."""
    days = [DAY + timedelta(days=n) for n in range(3)]
    land(ctx, csv_lines(3 * 288, ids=("12",)))
    assert take(ctx, days[1]) == take(ctx, *days[:2]) == []
    assert waiting(ctx) == ["hanoi/x_Pressures.csv"]
    take(ctx, *days)
    row = taken(ctx)["hanoi/x_Pressures.csv"]
    assert (row["accepted"], row["days"]) == (864, "2019-03-04..2019-03-06")


def test_file_changed_in_place_after_it_was_taken_is_a_new_delivery(
    ctx: StepContext, csv_lines: Lines
) -> None:
    """The same name with another content: both are in the ledger and in `done/`."""
    lines = csv_lines(ids=("12",))
    land(ctx, lines)
    take(ctx)
    land(ctx, [*lines, "2019-03-04 00:20:00;31,00"])
    take(ctx)
    ledger = ctx.warehouse.read_all("telemetry.ingest_ledger")
    assert ledger.select("accepted", "duplicates").rows() == [(4, 0), (5, 4)]
    assert len(list((ctx.settings.landing_dir / "hanoi" / "done").rglob("*.csv"))) == 2


def test_two_deliveries_of_a_day_share_pages(ctx: StepContext, csv_lines: Lines) -> None:
    """Quarantine and ledger have one partition for the day of receipt, whatever came."""
    for number in range(3):
        lines = csv_lines(ids=("12",), start=START + timedelta(hours=number))
        lines[1] = lines[1].replace("30,00", "x")
        land(ctx, lines, f"{number}_Pressures.csv")
        take(ctx)
    for table in ("telemetry.quarantine", "telemetry.ingest_ledger"):
        assert len(ctx.warehouse.partitions(table)) == 1
        assert ctx.warehouse.read_all(table).height == 3


def test_file_of_a_name_that_is_no_text(ctx: StepContext, csv_lines: Lines) -> None:
    """Bytes that are not UTF-8 in a name are escaped in tables; the file is taken."""
    path = land(ctx, csv_lines())
    path.rename(path.with_name(os.fsdecode(b"caf\xe9_Pressures.csv")))
    land(ctx, b"x", os.fsdecode(b"caf\xe9.txt"))
    take(ctx, DAY)
    take(ctx, datetime.now(UTC).date())
    assert taken(ctx).keys() == {"hanoi/caf\\xe9_Pressures.csv", "hanoi/caf\\xe9.txt"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_waits(ctx: StepContext, told: list[str], csv_lines: Lines) -> None:
    """It is told and left: once it can be read it is taken."""
    path = land(ctx, csv_lines())
    path.chmod(0)
    day = datetime.now(UTC).date()
    assert take(ctx, DAY, day) == []
    assert any("cannot be read" in line for line in told)
    path.chmod(0o644)
    assert take(ctx, DAY, day)


def as_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def delivered_files() -> dict[str, tuple[str, bytes]]:
    """Return name and content of files with one pressure, whose clocks are written in many ways."""
    clock = ["2019-03-04 20:00:00", "2019-03-04 21:00:00"]
    times = pl.Series(clock).str.to_datetime(time_unit="us")
    long = {"sensor_id": ["12"] * 2, "quantity": ["pressure"] * 2, "value": [30.0, 31.0]}
    other = pl.Series([datetime(2018, 5, 1), datetime(2018, 5, 2)])  # noqa: DTZ001 - no zone there
    wide = {"12": [30.0, 31.0]}
    lines = "Timestamp;12\n{};30,00\n{};31,00\n"
    spaced, west = (
        (lines.format(*(f.format(c) for c in clock))).encode() for f in (" {} ", "{}-05:00")
    )
    csv, parquet = "x_Pressures.csv", "x_Pressures.parquet"
    return {
        "wide, text": (parquet, as_parquet(pl.DataFrame({"Timestamp": clock, **wide}))),
        "wide, date": (
            parquet,
            as_parquet(pl.DataFrame({"Timestamp": times.dt.date()[:1], "12": [30.0]})),
        ),
        "wide, zone": (
            parquet,
            as_parquet(
                pl.DataFrame({"Timestamp": times.dt.replace_time_zone("America/Bogota"), **wide})
            ),
        ),
        "wide, first time is another": (
            parquet,
            as_parquet(pl.DataFrame({"made": other, "Timestamp": times, **wide})),
        ),
        "long, first time is another": (
            parquet,
            as_parquet(pl.DataFrame({"made": other, "ts_utc": times, **long})),
        ),
        "long, text": (parquet, as_parquet(pl.DataFrame({"ts_utc": clock, **long}))),
        "csv, spaces": (csv, spaced),
        "csv, offset": (csv, west),
        "csv, byte order mark": (csv, b"\xef\xbb\xbf" + spaced),
        "csv, zipped without saying so": (csv, gzip.compress(spaced)),
        "csv, zipped in two pieces": (
            csv + ".gz",
            gzip.compress(spaced[:50]) + gzip.compress(spaced[50:]),
        ),
        "csv, capital ending": ("x_Pressures.CSV", spaced),
        "csv, one line too long": (csv, spaced + b"2019-03-06 00:00:00;1;2;3\n"),
        "csv, across midnight": (csv, west.replace(b" 21:00:00-05:00", b" 18:59:00-05:00")),
    }


@pytest.mark.parametrize("kind", delivered_files())
def test_every_reading_of_a_delivery_enters_the_raw_log(ctx: StepContext, kind: str) -> None:
    """The intake asks for the days that the reader finds, however the clock is written."""
    name, content = delivered_files()[kind]
    land(ctx, content, name)
    files = LandingFolder(ctx.settings, ctx.warehouse).waiting()
    [run] = plan_runs(files, Attempts())
    take(ctx, *run.days)
    [row] = ctx.warehouse.read_all("telemetry.ingest_ledger").to_dicts()
    raw = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
    assert row["status"] == "ingested"
    assert raw.height == row["accepted"] == (1 if kind == "wide, date" else 2)
    assert set(raw["ts_utc"].dt.date()) <= set(run.days)
