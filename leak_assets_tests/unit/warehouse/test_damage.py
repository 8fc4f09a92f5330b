"""A partition that does not hold what was written is told, with the way to get it back."""

from pathlib import Path

import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.catalogue import SCHEMA_FILE
from leak_assets.warehouse.check import check_lake
from leak_assets.warehouse.clean import DERIVED, derived_partitions, remove_derived
from leak_assets.warehouse.partition_files import DamagedPartitionError
from leak_assets.warehouse.schemas import TABLES
from leak_assets.warehouse.seal import SEAL_KEY, is_broken, open_seal, seal

DAY = {"date": "2019-03-04", "network": "l-town"}
TABLE = "telemetry.gaps"


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A lake with one partition of two rows."""
    made = Warehouse(tmp_path)
    rows = {
        "network": ["l-town"] * 2,
        "sensor_id": ["n1", "n2"],
        "quantity": ["pressure"] * 2,
        "gap_start": [0, 0],
        "gap_end": [1, 1],
        "steps": [1, 2],
        "treatment": ["masked"] * 2,
    }
    made.write(TABLE, DAY, pl.DataFrame(rows).cast(TABLES[TABLE].polars_schema))
    return made


def flipped(content: bytes) -> bytes:
    """Turn over one bit of a value, where Parquet itself notices nothing."""
    middle = len(content) // 4
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = {
    "flipped": flipped,
    "truncated": lambda content: content[: len(content) // 2],
    "end cut off": lambda content: content[:-3],
    "empty": lambda _content: b"",
    "another file": lambda _content: b"no parquet at all",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line_with_the_way_back(warehouse: Warehouse, damage: str) -> None:
    """Reading, scanning and the check name the file and what to do."""
    path = warehouse.path(TABLE, DAY)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    for read in (
        lambda: warehouse.read(TABLE, DAY),
        lambda: warehouse.read_all(TABLE),
    ):
        with pytest.raises(DamagedPartitionError, match="damaged") as caught:
            read()
        assert caught.value.file == str(path)
        assert "\n" not in str(caught.value)
        assert "leak-assets ingest" in caught.value.remedy
    (bad,) = [row for row in check_lake(warehouse) if row.problem]
    assert (bad.table, path.name in bad.problem) == (TABLE, True)


@pytest.mark.parametrize("damage", ["truncated", "empty", "another file"])
def test_queries_and_records_name_the_damaged_file(warehouse: Warehouse, damage: str) -> None:
    """DuckDB's own words are not what a user is left with."""
    path = warehouse.path(TABLE, DAY)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(DamagedPartitionError) as caught:
        warehouse.sql(f"SELECT * FROM {TABLE}")
    assert caught.value.file == str(path)
    with pytest.raises(DamagedPartitionError):
        warehouse.record(TABLE, DAY)


def test_what_was_lost_is_said_by_the_table(warehouse: Warehouse) -> None:
    """Raw readings come back by delivery, decisions from a backup."""
    for name, words in (
        ("telemetry.raw_readings", "deliver the exports"),
        ("models.registry_events", "backup"),
    ):
        partition = dict.fromkeys(TABLES[name].partition_by, "2019-03-04")
        path = warehouse.path(name, partition)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        with pytest.raises(DamagedPartitionError, match=words):
            warehouse.read(name, partition)


def test_a_damaged_schema_file_is_made_again(warehouse: Warehouse) -> None:
    """It holds nothing."""
    warehouse.ensure_schemas()
    (warehouse.path(TABLE, DAY).parent / SCHEMA_FILE).write_bytes(b"")
    assert warehouse.sql(f"SELECT count(*) AS n FROM {TABLE}")["n"].to_list() == [2]


def test_files_from_before_the_seal_are_read(warehouse: Warehouse) -> None:
    """A partition without a seal is not taken for damaged."""
    path = warehouse.path(TABLE, DAY)
    frame = warehouse.read(TABLE, DAY)
    assert frame is not None
    frame.write_parquet(path)
    assert warehouse.read(TABLE, DAY).equals(frame)  # type: ignore[union-attr]


def test_a_seal_in_the_values_is_no_seal(tmp_path: Path) -> None:
    """Text that looks like an open seal stays what it is."""
    frame = pl.DataFrame({"name": [open_seal()] * 3})
    path = tmp_path / "x.parquet"
    frame.write_parquet(path, compression="uncompressed", metadata={SEAL_KEY: open_seal()})
    sealed = seal(path.read_bytes())
    assert not is_broken(sealed)
    assert pl.read_parquet(sealed).equals(frame)
    with pytest.raises(ValueError, match="no open seal"):
        seal(b"PAR1")


def test_cleaning_keeps_what_nothing_makes_again(warehouse: Warehouse) -> None:
    """Derived partitions go, deliveries and decisions stay."""
    raw = {"date": "2019-03-04", "network": "hanoi"}
    warehouse.write("telemetry.raw_readings", raw, TABLES["telemetry.raw_readings"].empty())
    assert derived_partitions(warehouse) == 1
    assert remove_derived(warehouse) == {TABLE: 1}
    assert warehouse.partitions("telemetry.raw_readings") == [raw]
    assert {"telemetry.raw_readings", "telemetry.ingest_ledger", "models.registry_events"} & set(
        DERIVED
    ) == set()


def test_only_tables_that_a_run_makes_again_are_derived() -> None:
    """What `clean` removes is written by a step that computes it from tables that stay."""
    from leak_assets.runs.graph import GRAPH

    # Drift is no partition by day of a step: it is brought up to date for all days at once.
    for table in (set(DERIVED) & set(GRAPH.writer)) - {"models.drift"}:
        assert GRAPH.writer[table].compute is not None, table


@pytest.mark.parametrize("value", ["crc32:00000000", "x"])
def test_any_text_can_be_a_value(warehouse: Warehouse, value: str) -> None:
    """A sensor may be called like a seal."""
    frame = warehouse.read(TABLE, DAY)
    assert frame is not None
    renamed = frame.head(1).with_columns(sensor_id=pl.lit(value))
    warehouse.write(TABLE, DAY, renamed)
    assert warehouse.read(TABLE, DAY).equals(renamed)  # type: ignore[union-attr]


def test_unknown_tables_are_refused(warehouse: Warehouse) -> None:
    """A name that is no table is told with those that are."""
    with pytest.raises(InputError, match="no table"):
        warehouse.read("telemetry.nothing", DAY)
