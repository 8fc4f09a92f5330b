"""The raw step: which landed files it takes, what it writes of them, what it tells."""

import gzip
import io
import os
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.settings import Settings
from leak_assets.telemetry.sources.inbox import Cursor, waiting_deliveries
from leak_assets.telemetry.steps import known_files, write_raw_readings, write_readings
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.telemetry import INGEST_LEDGER

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


def enter_ledger(ctx: StepContext, number: int, *, status: str, minute: int) -> None:
    row = {
        "network": "hanoi",
        "file_path": f"hanoi/{number}.csv",
        "file_sha256": f"{minute:064d}",
        "size_bytes": minute,
        "mtime_ns": 7,
        "format": "csv",
        "readings": 0,
        "accepted": 0,
        "quarantined": 0,
        "duplicates": 0,
        "status": status,
        "ingested_at": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
        "run_id": "r",
    }
    frame = pl.DataFrame([row], schema=INGEST_LEDGER.polars_schema)
    partition = {"file": f"f{number}-{minute}", "network": "hanoi"}
    ctx.warehouse.write("telemetry.ingest_ledger", partition, frame)


def test_known_files_come_from_one_scan(ctx: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last whole delivery of each file counts; no file of the ledger is read by itself."""
    assert known_files(ctx, "hanoi") == {}
    enter_ledger(ctx, 1, status="ingested", minute=9)
    enter_ledger(ctx, 1, status="ingested", minute=3)
    enter_ledger(ctx, 2, status="rejected", minute=4)
    enter_ledger(ctx, 3, status="partial", minute=5)

    def one_by_one(*_: object) -> None:
        raise AssertionError("a read for each delivered file makes every micro-batch slower")

    monkeypatch.setattr(Warehouse, "read", one_by_one)
    assert known_files(ctx, "hanoi") == {"hanoi/1.csv": "9:7", "hanoi/2.csv": "4:7"}
    assert known_files(ctx, "net1") == {}


def test_folder_spelled_otherwise_is_taken_and_unknown_ones_are_told(
    ctx: StepContext, told: list[str], csv_lines: Lines
) -> None:
    """`HANOI` is hanoi in every table; a folder of no network and a stray file get a line each."""
    land(ctx, csv_lines(), folder="HANOI")
    land(ctx, csv_lines(), folder="Hanoii")
    land(ctx, csv_lines(), folder=".")
    write_raw_readings(ctx, "hanoi", [DAY])
    raw = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
    assert raw["network"].unique().to_list() == ["hanoi"]
    assert known_files(ctx, "hanoi").keys() == {"HANOI/x_Pressures.csv"}
    assert any("folder `Hanoii`: unknown network 'hanoii'" in line for line in told)
    assert any("`x_Pressures.csv` lies in no network's folder" in line for line in told)


def latest_value(ctx: StepContext) -> list[str]:
    """Return the value of node 12 at midnight in each delivery, in their order."""
    raw = ctx.warehouse.read("telemetry.raw_readings", day_partition(DAY, "hanoi"))
    assert raw is not None
    at = (pl.col("sensor_id") == "12") & (pl.col("ts_utc") == START)
    return raw.filter(at).sort("received_at")["raw_text"].to_list()


def test_file_with_a_time_of_1980_is_taken(ctx: StepContext, csv_lines: Lines) -> None:
    """Archives without times give files of 1980; when they came is another matter."""
    land(ctx, csv_lines(ids=("12",)), changed=datetime(1980, 1, 1, tzinfo=UTC))
    write_raw_readings(ctx, "hanoi", [DAY])
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
        write_raw_readings(ctx, "hanoi", [DAY])
    lines[1] = lines[1].replace("30,00", "31,00")
    time.sleep(0.01)
    land(ctx, lines, "a_Pressures.csv", changed=datetime(2020, 4, 1, tzinfo=UTC))
    write_raw_readings(ctx, "hanoi", [DAY])
    assert latest_value(ctx) == ["30,00", "31,00"]
    write_readings(ctx, "hanoi", [DAY])
    readings = ctx.warehouse.read("telemetry.readings", day_partition(DAY, "hanoi"))
    assert readings is not None
    at = (pl.col("sensor_id") == "12") & (pl.col("ts_utc") == START)
    assert readings.filter(at)["value_si"].to_list() == [31.0]


def test_same_content_again_changes_nothing(ctx: StepContext, csv_lines: Lines) -> None:
    """Touched, or under another name: every row of the raw log stays, its time of receipt too."""
    land(ctx, csv_lines())
    write_raw_readings(ctx, "hanoi", [DAY])
    partition = ctx.warehouse.path("telemetry.raw_readings", day_partition(DAY, "hanoi"))
    before = partition.read_bytes()
    land(ctx, csv_lines(), changed=datetime(2021, 1, 1, tzinfo=UTC))
    land(ctx, csv_lines(), "again_Pressures.csv")
    write_raw_readings(ctx, "hanoi", [DAY])
    assert partition.read_bytes() == before
    assert len(known_files(ctx, "hanoi")) == 2


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
            write_raw_readings(ctx, "hanoi", days)
    write_raw_readings(ctx, "hanoi", days)
    raw = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
    assert (raw.height, raw["received_at"].n_unique()) == (4, 1)


def test_days_nobody_asked_for_are_told_and_stay_open(
    ctx: StepContext, told: list[str], csv_lines: Lines
) -> None:
    """A run of one day takes its part of a file; the ledger and the log say what is left."""
    days = [DAY + timedelta(days=n) for n in range(3)]
    land(ctx, csv_lines(3 * 288, ids=("12",)))
    write_raw_readings(ctx, "hanoi", [days[1]])
    [row] = ctx.warehouse.read_all("telemetry.ingest_ledger").to_dicts()
    assert (row["status"], row["readings"], row["accepted"]) == ("partial", 864, 288)
    assert any("576 readings of 2 days from 2019-03-04 to 2019-03-06" in line for line in told)
    assert known_files(ctx, "hanoi") == {}
    told.clear()
    write_raw_readings(ctx, "hanoi", [days[0]])
    write_raw_readings(ctx, "hanoi", [days[2]])
    [row] = ctx.warehouse.read_all("telemetry.ingest_ledger").to_dicts()
    assert (row["status"], row["accepted"]) == ("ingested", 864)
    assert len([line for line in told if "wait for a run" in line]) == 1
    assert known_files(ctx, "hanoi").keys() == {"hanoi/x_Pressures.csv"}


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
    """The inbox asks for the days that the reader finds, however the clock is written."""
    name, content = delivered_files()[kind]
    land(ctx, content, name)
    [delivery], _ = waiting_deliveries(ctx.settings, Cursor())
    write_raw_readings(ctx, delivery.network, delivery.days)
    [row] = ctx.warehouse.read_all("telemetry.ingest_ledger").to_dicts()
    raw = ctx.warehouse.read_all("telemetry.raw_readings", network="hanoi")
    assert row["status"] == "ingested"
    assert raw.height == row["accepted"] == (1 if kind == "wide, date" else 2)
    assert set(raw["ts_utc"].dt.date()) <= set(delivery.days)
