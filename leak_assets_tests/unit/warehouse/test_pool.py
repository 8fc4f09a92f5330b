"""The pooled warehouse sees what the plain one sees: published, removed, broken, mended."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pytest

from leak_assets.system.files import publish
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.pool import HELD, PooledWarehouse
from leak_assets_tests.unit.serving.served import rows

TABLE = "incidents.incident_days"
COUNT = f"SELECT incident_id, volume_lost_m3 FROM {TABLE} ORDER BY ALL"


def write(warehouse: Warehouse, day: int, **columns: object) -> None:
    """Publish a day with one incident."""
    frame = rows(TABLE, network="net1", incident_id=f"i{day}", **columns)
    warehouse.write(TABLE, {"date": f"2019-01-{day:02d}", "network": "net1"}, frame)


@pytest.fixture
def plain(tmp_path: Path) -> Warehouse:
    """A warehouse with three days."""
    warehouse = Warehouse(tmp_path)
    warehouse.ensure_schemas()
    for day in (1, 2, 3):
        write(warehouse, day)
    return warehouse


@pytest.fixture
def pooled(plain: Warehouse) -> PooledWarehouse:
    """The same, asked by a process that asks all the time."""
    return PooledWarehouse(plain.root)


def test_the_held_tables_are_read_as_the_others(plain: Warehouse, pooled: PooledWarehouse) -> None:
    """Columns and types are those of the files, also without rows; times are UTC."""
    assert TABLE in HELD
    with plain.connect() as files, pooled.connect() as memory:
        for table in HELD:
            query = f"SELECT * FROM {table}"
            assert memory.sql(query).pl().equals(files.sql(query).pl()), table
    assert pooled.sql("SELECT current_setting('TimeZone')").item() == "UTC"


def test_what_is_published_is_seen_by_the_next_query(
    plain: Warehouse, pooled: PooledWarehouse
) -> None:
    """New, replaced at once after, and removed partitions."""
    assert pooled.sql(COUNT).height == 3
    write(plain, 4)
    assert pooled.sql(COUNT)["incident_id"].to_list() == ["i1", "i2", "i3", "i4"]
    for value in range(8):
        # Within one tick of the file system's clock.
        write(plain, 2, volume_lost_m3=float(value))
        assert pooled.sql(COUNT).filter(incident_id="i2")["volume_lost_m3"].to_list() == [value]
    plain.remove(TABLE, date="2019-01-01")
    assert pooled.sql(COUNT)["incident_id"].to_list() == ["i2", "i3", "i4"]


def test_threads_ask_while_days_are_published(plain: Warehouse, pooled: PooledWarehouse) -> None:
    """Each sees whole days, and never fewer than before."""

    def ask(_number: int) -> int:
        return pooled.sql(COUNT).height

    with ThreadPoolExecutor(4) as pool:
        for day in range(4, 10):
            found = pool.map(ask, range(8))
            write(plain, day)
            assert {day - 1, day} >= set(found)
    assert ask(0) == 9


def test_a_broken_table_fails_its_own_queries_alone(
    plain: Warehouse, pooled: PooledWarehouse
) -> None:
    """And is read again once it is mended."""
    assert pooled.sql(COUNT).height == 3
    path = plain.path(TABLE, {"date": "2019-01-02", "network": "net1"})
    whole = path.read_bytes()
    publish(path, whole[:50])
    with pytest.raises(duckdb.Error):
        pooled.sql(COUNT)
    assert pooled.sql("SELECT * FROM incidents.transitions").is_empty()
    publish(path, whole)
    assert pooled.sql(COUNT).equals(plain.sql(COUNT))
    shutil.rmtree(path.parent)
    with pytest.raises(duckdb.Error):
        pooled.sql(COUNT)
    plain.ensure_schemas()
    write(plain, 9)
    assert pooled.sql(COUNT)["incident_id"].to_list() == ["i9"]


def test_files_of_an_older_version_lack_columns(plain: Warehouse, pooled: PooledWarehouse) -> None:
    """What was not there then is null."""
    path = plain.path(TABLE, {"date": "2019-01-02", "network": "net1"})
    old = pl.read_parquet(path).drop("openings")
    draft = path.with_suffix(".tmp")
    old.write_parquet(draft)
    draft.replace(path)
    found = pooled.sql(f"SELECT incident_id, openings FROM {TABLE} ORDER BY ALL")
    assert found.filter(incident_id="i2")["openings"].to_list() == [None]
