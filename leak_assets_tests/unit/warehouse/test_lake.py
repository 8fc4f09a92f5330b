"""The lake: validated, atomic, idempotent writes; reads that never fail; the audit trail."""

import hashlib
import multiprocessing
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from leak_assets.errors import InputError, MissingInputError
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.catalogue import OLDER_FILE, SCHEMA_FILE, build_catalogue, named_in
from leak_assets.warehouse.query import query
from leak_assets.warehouse.record import content_hash, is_version_of
from leak_assets.warehouse.schemas import TABLES, VIEWS
from leak_assets_tests.towns import table_rows

DAY = {"date": "2019-03-04", "network": "l-town"}


def gaps(rows: int = 3, *, steps: int = 1) -> pl.DataFrame:
    start = datetime(2019, 3, 4, tzinfo=UTC)
    return pl.DataFrame(
        {
            "network": ["l-town"] * rows,
            "sensor_id": [f"n{i}" for i in range(rows)],
            "quantity": ["pressure"] * rows,
            "gap_start": [start] * rows,
            "gap_end": [start + timedelta(minutes=5)] * rows,
            "steps": [steps] * rows,
            "treatment": ["masked"] * rows,
        },
        schema=TABLES["telemetry.gaps"].polars_schema,
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path, run_id="run-1")


def test_a_written_partition_is_read_back_and_seen_by_sql(warehouse: Warehouse) -> None:
    """What was written comes back, both directly and through the view."""
    warehouse.write("telemetry.gaps", DAY, gaps())
    assert warehouse.read("telemetry.gaps", DAY).equals(gaps())
    found = warehouse.sql("SELECT count(*) AS n FROM telemetry.gaps WHERE steps = ?", [1])
    assert found["n"].to_list() == [3]


def test_rows_of_an_older_version_are_read_with_todays_columns(warehouse: Warehouse) -> None:
    """So that their day can be made anew: what was not there is null, what is gone is left out."""
    warehouse.write("telemetry.gaps", DAY, gaps())
    path = warehouse.path("telemetry.gaps", DAY)
    older = gaps().drop("treatment").with_columns(reason=pl.lit("battery"))
    older.write_parquet(path)
    found = warehouse.read("telemetry.gaps", DAY)
    assert found.schema == TABLES["telemetry.gaps"].polars_schema
    assert found["treatment"].null_count() == older.height
    assert found.drop("treatment").equals(gaps().drop("treatment"))


def test_views_are_valid_before_any_data(warehouse: Warehouse) -> None:
    """Every table and view can be queried in an empty warehouse."""
    with warehouse.connect() as connection:
        names = connection.execute(
            "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        for (name,) in names:
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)
    assert {name for (name,) in names} >= set(TABLES)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM incidents.incidents",
        "SELECT count(*) FROM Incidents.Incident_Events_History()",
        'SELECT count(*) FROM "incidents"."incidents"',
        "SELECT count(*) FROM v_incidents",
        'SELECT count(*) FROM telemetry.gaps, "incidents"."incidents", audit.lineage',
    ],
)
def test_a_query_finds_what_it_rests_on_however_it_says_so(
    warehouse: Warehouse, query: str
) -> None:
    """Views are made for what its words name, and all of them where words do not show it."""
    assert warehouse.sql(query).row(0) == (0,)


def test_every_view_finds_what_it_rests_on(warehouse: Warehouse) -> None:
    """Asked for alone, none misses another; what is nowhere is told."""
    for name in VIEWS:
        assert name in (named_in(f"SELECT * FROM {name}") or ()), name
        with warehouse.connect(names=named_in(f"SELECT * FROM {name}")) as connection:
            assert connection.sql(f"SELECT * FROM {name}").fetchall() == []
    with pytest.raises(duckdb.CatalogException, match="nothing"):
        warehouse.sql("SELECT * FROM telemetry.nothing")


def test_writing_the_same_again_changes_nothing(warehouse: Warehouse) -> None:
    """The same content from the same inputs leaves the file untouched, byte and time."""
    source = Input("file", "a.csv", "", "abc")
    first = warehouse.write("telemetry.gaps", DAY, gaps(), inputs=[source])
    before = warehouse.path("telemetry.gaps", DAY).stat()
    again = Warehouse(warehouse.root, run_id="run-2").write(
        "telemetry.gaps", DAY, gaps(), inputs=[source]
    )
    assert (first.changed, again.changed) == (True, False)
    assert again.record == first.record
    assert warehouse.path("telemetry.gaps", DAY).stat().st_mtime_ns == before.st_mtime_ns


def test_a_replaced_partition_keeps_the_record_of_its_predecessor(warehouse: Warehouse) -> None:
    """The audit views tell both versions, their inputs, and which one is current."""
    warehouse.write("telemetry.gaps", DAY, gaps(), inputs=[Input("file", "a.csv", "", "abc")])
    warehouse.write("telemetry.gaps", DAY, gaps(2), inputs=[Input("file", "b.csv", "", "def")])
    versions = warehouse.sql(
        "SELECT rows, is_current, run_id FROM audit.data_versions ORDER BY is_current DESC"
    )
    assert versions.rows() == [(2, True, "run-1"), (3, False, "run-1")]
    lineage = warehouse.sql(
        "SELECT l.input_name, v.is_current FROM audit.lineage l"
        " JOIN audit.data_versions v USING (table_name, partition, data_version) ORDER BY 1"
    )
    assert lineage.rows() == [("a.csv", False), ("b.csv", True)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.with_columns(pl.col("steps").cast(pl.Int32)), "steps: expected Int64"),
        (lambda f: f.drop("treatment"), "treatment: expected String, got nothing"),
        (lambda f: f.with_columns(extra=1), "extra: expected nothing"),
        (lambda f: f.with_columns(steps=pl.lit(None, pl.Int64)), "nulls in a column"),
        (lambda f: pl.concat([f, f]), "key .* is not unique"),
        (lambda f: f.select(sorted(f.columns)), "order: expected"),
    ],
)
def test_a_frame_that_breaks_the_schema_is_refused(
    warehouse: Warehouse, change: object, message: str
) -> None:
    """Types, columns, nulls, keys and order are checked, and nothing is published."""
    with pytest.raises(ValueError, match=message):
        warehouse.write("telemetry.gaps", DAY, change(gaps()))  # type: ignore[operator]
    assert warehouse.read("telemetry.gaps", DAY) is None


@pytest.mark.parametrize("value", ["../etc", "a/b", "", ".hidden", "x__y=z/..", "a__b", "a_"])
def test_a_partition_cannot_leave_its_folder(warehouse: Warehouse, value: str) -> None:
    """Values that would be paths, or break up a partition's name, are refused."""
    with pytest.raises(InputError, match="cannot be the network"):
        warehouse.path("telemetry.gaps", {"date": "2019-03-04", "network": value})


def test_a_refused_partition_leaves_its_table_readable(warehouse: Warehouse) -> None:
    """`__` in one network's name cannot make the partitions of the others unreadable."""
    warehouse.write("telemetry.gaps", DAY, gaps())
    for network in ("my__town", "town_"):
        with pytest.raises(InputError, match="neither '__' nor '_' at the end"):
            warehouse.write("telemetry.gaps", {**DAY, "network": network}, gaps())
    assert warehouse.partitions("telemetry.gaps") == [DAY]


def test_unknown_table_and_wrong_partition_are_named(warehouse: Warehouse) -> None:
    """The errors say which tables and partitions there are."""
    with pytest.raises(InputError, match=r"no table 'telemetry\.gap'.*telemetry\.gaps"):
        warehouse.read("telemetry.gap", DAY)
    with pytest.raises(InputError, match="partitioned by"):
        warehouse.read("telemetry.gaps", {"network": "l-town"})
    with pytest.raises(MissingInputError, match="Ingest first"):
        warehouse.require("telemetry.gaps", DAY, remedy="Ingest first")


def test_an_interrupted_write_leaves_the_old_partition(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that dies before it publishes leaves the old file and no rubbish."""
    warehouse.write("telemetry.gaps", DAY, gaps())

    def dies(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", dies)
    with pytest.raises(OSError, match="No space"):
        warehouse.write("telemetry.gaps", DAY, gaps(2))
    assert warehouse.read("telemetry.gaps", DAY).equals(gaps())
    assert [p.name for p in warehouse.path("telemetry.gaps", DAY).parent.glob(".*")] == []


def test_content_hash_depends_on_content_only() -> None:
    """Chunking does not change the hash; a value, a type or a null does."""
    frame = pl.DataFrame({"a": [1.0, None], "b": ["x", "\\N"]})
    chunked = pl.concat([frame[:1], frame[1:]], rechunk=False)
    assert content_hash(frame) == content_hash(chunked)
    others = [
        frame.with_columns(a=pl.Series([1.0, 0.0])),
        frame.with_columns(a=pl.Series([1.0, None], dtype=pl.Float32)),
        frame.with_columns(b=pl.Series(["x", None])),
        frame.reverse(),
        frame.with_columns(b=pl.Series(["x\\", "N"])),
    ]
    assert content_hash(frame) not in {content_hash(other) for other in others}
    assert content_hash(frame.clear()) != content_hash(frame)
    assert content_hash(frame.clear()) == content_hash(frame[:0])


def test_content_hash_of_bytes() -> None:
    """Bytes count with their lengths and with where they are missing."""
    frames = [
        pl.DataFrame({"state": values}, schema={"state": pl.Binary})
        for values in ([b"ab", b"c"], [b"a", b"bc"], [b"abc", None], [b"abc", b""])
    ]
    assert len({content_hash(frame) for frame in frames}) == len(frames)
    assert content_hash(frames[0]) == content_hash(frames[0].clone())


def _keep_writing(root: Path, writer: int, seconds: float) -> None:
    warehouse = Warehouse(root)
    deadline, round_ = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        round_ += 1
        for number in range(5):
            partition = {"date": f"2019-03-{writer * 5 + number + 1:02d}", "network": "l-town"}
            warehouse.write("telemetry.gaps", partition, gaps(50, steps=round_))


def _keep_reading(catalogue: Path, seconds: float, failures: object) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with duckdb.connect(catalogue, read_only=True) as connection:
                mixed = connection.execute(
                    "SELECT count(*) FROM (SELECT 1 FROM read_parquet("
                    f"'{catalogue.parent}/lake/telemetry/gaps/date=*.parquet', filename=true)"
                    " GROUP BY filename HAVING count(DISTINCT steps) > 1 OR count(*) <> 50)"
                ).fetchone()
                total = connection.execute("SELECT count(*) FROM telemetry.gaps").fetchone()
            assert mixed == (0,), f"{mixed} partitions were read half old, half new"
            assert total == (1000,), total
        except Exception as error:  # noqa: BLE001 - every failure of a reader counts
            failures.append(f"{type(error).__name__}: {error}")  # type: ignore[attr-defined]


def test_many_writers_and_readers_never_fail(tmp_path: Path) -> None:
    """20 partitions rewritten by 4 processes while 4 others read: no failed or torn read."""
    warehouse = Warehouse(tmp_path)
    warehouse.ensure_schemas()
    for number in range(20):
        day = {"date": f"2019-03-{number + 1:02d}", "network": "l-town"}
        warehouse.write("telemetry.gaps", day, gaps(50))
    catalogue = build_catalogue(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        failures = manager.list()
        processes = [
            *(spawn.Process(target=_keep_writing, args=(tmp_path, w, 4.0)) for w in range(4)),
            *(spawn.Process(target=_keep_reading, args=(catalogue, 4.0, failures)) for _ in "1234"),
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert list(failures) == []
        assert [p.exitcode for p in processes] == [0] * 8
    rewritten = warehouse.read_all("telemetry.gaps")["steps"].min()
    assert rewritten > 1, "the writers must have replaced every partition"


def _keep_replacing(root: Path, seconds: float) -> None:
    warehouse = Warehouse(root)
    deadline, rows = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        rows = rows % 300 + 1
        warehouse.write("telemetry.gaps", DAY, gaps(rows, steps=rows))


def test_frames_are_never_half_old_half_new(tmp_path: Path) -> None:
    """A partition replaced by ever other sizes is read whole, by itself and in a scan."""
    warehouse = Warehouse(tmp_path)
    warehouse.write("telemetry.gaps", DAY, gaps(1, steps=1))
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_keep_replacing, args=(tmp_path, 4.0)) for _ in "12"]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        for frame in (warehouse.read("telemetry.gaps", DAY), warehouse.read_all("telemetry.gaps")):
            assert frame is not None
            assert frame["steps"].to_list() == [frame.height] * frame.height
    assert [writer.exitcode for writer in writers] == [0, 0]


def test_scan_gives_the_partitions_with_the_given_values(warehouse: Warehouse) -> None:
    """One lazy frame over the partitions that match, in their order; typed where none does."""
    for day, steps in (("2019-03-05", 2), ("2019-03-04", 1)):
        warehouse.write("telemetry.gaps", {"date": day, "network": "l-town"}, gaps(1, steps=steps))
    other = {"date": "2019-03-04", "network": "hanoi"}
    warehouse.write("telemetry.gaps", other, gaps(1, steps=9))
    assert warehouse.scan("telemetry.gaps", network="l-town").collect()["steps"].to_list() == [1, 2]
    nothing = warehouse.scan("telemetry.gaps", network="net1").collect()
    assert nothing.equals(TABLES["telemetry.gaps"].empty())


def test_queries_read_days_of_an_older_version(tmp_path: Path) -> None:
    """SQL aligns columns as reading does: new ones are null, dropped ones are gone."""
    warehouse = Warehouse(tmp_path)
    warehouse.ensure_schemas()
    table = TABLES["telemetry.gaps"]
    folder = tmp_path / "lake" / "telemetry" / "gaps"
    row = table_rows(table.full_name, [{"network": "l-town", "steps": 3}])
    old = row.drop("treatment").with_columns(pl.lit(1).alias("dropped"))
    for name, frame in (
        (SCHEMA_FILE, old.clear()),
        ("date=2019-03-04__network=l-town.parquet", old),
    ):
        frame.write_parquet(folder / name)
    partition = {"date": "2019-03-05", "network": "l-town"}
    warehouse.ensure_schemas()
    warehouse.write(table.full_name, partition, row)
    found = warehouse.sql("SELECT * FROM telemetry.gaps")
    assert found.columns == [column.name for column in table.columns]
    assert sorted(found["treatment"].to_list(), key=str) == ["", None]
    warehouse.write(table.full_name, partition | {"date": "2019-03-04"}, row)
    assert warehouse.sql("SELECT * FROM telemetry.gaps").height == 2
    assert not (folder / OLDER_FILE).exists()


def test_days_of_an_older_version_that_nobody_took_note_of_are_read(tmp_path: Path) -> None:
    """Two versions wrote one lake, or one changed the columns without a note: queries go on."""
    warehouse = Warehouse(tmp_path)
    warehouse.ensure_schemas()
    for name in ("telemetry.gaps", "telemetry.quarantine"):
        row = table_rows(name, [{"network": "l-town"}])
        path = warehouse.path(name, {"date": "2019-03-04", "network": "l-town"})
        row.drop(TABLES[name].columns[-1].name).write_parquet(path)
        assert query(warehouse, f"SELECT * FROM {name}").height == 1
        path.with_name(OLDER_FILE).unlink()
    both = "SELECT * FROM telemetry.gaps FULL JOIN telemetry.quarantine USING (network)"
    assert warehouse.sql(both).height == 1
    assert query(warehouse, "SELECT treatment FROM telemetry.gaps")["treatment"].to_list() == [None]
    assert path.with_name(OLDER_FILE).exists()


def test_records_of_former_lakes_have_another_hash() -> None:
    """A partition whose record has SHA-256 is the same version still, and told when it is not."""
    frame = gaps()
    former = content_hash(frame, hashlib.sha256)
    assert len(former) == 64
    assert is_version_of(frame, former)
    assert is_version_of(frame, content_hash(frame))
    assert not is_version_of(gaps(steps=2), former)
