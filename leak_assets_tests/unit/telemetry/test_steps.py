"""The raw step: which landed files it takes, what it writes of them, what it tells."""

import os
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.context import StepContext, day_partition
from leak_assets.settings import Settings
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
    return StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path), run_id="r", tell=told.append)


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
