"""What was published before: which versions are kept, and how tables stood at a time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.errors import InputError
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.catalogue import build_catalogue
from leak_assets.warehouse.history import keep, versions, versions_at
from leak_assets.warehouse.query import query
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.steps import rows

READINGS, EVENTS, GAPS = "telemetry.readings", "incidents.incident_events", "telemetry.gaps"
DAY = {"date": "2019-03-04", "network": "l-town"}
NEXT = {"date": "2019-03-05", "network": "l-town"}


def readings(values: dict[int, float]) -> pl.DataFrame:
    """Return readings with a value at each minute of the day."""
    frame = rows(READINGS, max(values) + 1)
    minute = pl.int_range(pl.len())
    return frame.with_columns(
        value_si=minute.replace_strict(values, default=0.0, return_dtype=pl.Float64)
    ).filter(minute.is_in(list(values)))


def kept(warehouse: Warehouse, table: str = READINGS) -> list[int]:
    """Return the revisions that were kept beside the current one."""
    found = versions(warehouse.root, table)
    return sorted(v.record.revision for v in found if not v.is_current)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """An empty warehouse."""
    made = Warehouse(tmp_path)
    made.ensure_schemas()
    return made


def test_a_day_in_progress_keeps_no_copies(warehouse: Warehouse) -> None:
    """Micro-batches that go on from each other replace each other: one revision."""
    for last in range(1, 6):
        written = warehouse.write(READINGS, DAY, readings(dict.fromkeys(range(last), 1.0)))
        assert written.record.revision == 1
    assert kept(warehouse) == []


def test_late_rows_and_corrections_are_revisions(warehouse: Warehouse) -> None:
    """A row said differently without anything newer, and any change once the next day began."""
    warehouse.write(READINGS, DAY, readings({0: 1.0, 2: 1.0}))
    assert warehouse.write(READINGS, DAY, readings({0: 1.0, 1: 5.0, 2: 1.0})).record.revision == 2
    assert warehouse.write(READINGS, DAY, readings({0: 9.0, 1: 5.0, 2: 1.0})).record.revision == 3
    longer = readings({0: 9.0, 1: 5.0, 2: 1.0, 3: 1.0})
    assert warehouse.write(READINGS, DAY, longer).record.revision == 3
    warehouse.write(READINGS, NEXT, readings({0: 1.0}))
    assert (
        warehouse.write(READINGS, DAY, pl.concat([longer, rows(READINGS, 5)[4:]])).record.revision
        == 4
    )
    assert kept(warehouse) == [1, 2, 3]


def test_same_content_from_other_inputs_is_no_revision(warehouse: Warehouse) -> None:
    """Another code version that gives the same rows changes the record, not the revision."""
    frame = readings({0: 1.0})
    warehouse.write(READINGS, DAY, frame, code_version="1")
    published = datetime.now(UTC)
    assert warehouse.write(READINGS, DAY, frame, code_version="2").record.revision == 1
    assert kept(warehouse) == []
    asked = "SELECT count(*) AS n FROM telemetry.readings"
    assert query(warehouse, asked, as_of=published)["n"].item() == 1, "it said so all along"


def test_every_version_of_incidents_is_kept_and_none_of_gaps(warehouse: Warehouse) -> None:
    """What people act on keeps all; what is only a by-product keeps nothing."""
    for count in (1, 2, 3):
        warehouse.write(EVENTS, DAY, rows(EVENTS, count))
        warehouse.write(GAPS, DAY, rows(GAPS, count))
    assert kept(warehouse, EVENTS) == [1, 2]
    assert not list((warehouse.history / "telemetry" / "gaps").glob("*"))


def test_history_view_has_old_and_new_rows(warehouse: Warehouse) -> None:
    """ING4: the replaced version stays queryable in SQL, also from the catalogue file."""
    for value in (1.0, 2.0):
        warehouse.write(READINGS, DAY, readings({0: value}))
    asked = (
        "SELECT value_si, partition_revision, is_current FROM telemetry.readings_history()"
        " ORDER BY 2"
    )
    expected = [(1.0, 1, False), (2.0, 2, True)]
    assert warehouse.sql(asked).rows() == expected
    import duckdb

    with duckdb.connect(build_catalogue(warehouse.root), read_only=True) as connection:
        assert connection.execute(asked).fetchall() == expected


def test_tables_as_of_a_time(warehouse: Warehouse) -> None:
    """Each moment gives what had been published by then; before the first there is no row."""
    moments = [datetime.now(UTC)]
    for value in (1.0, 2.0, 3.0):
        warehouse.write(READINGS, DAY, readings({0: value}))
        moments.append(datetime.now(UTC))
    asked = "SELECT value_si FROM telemetry.readings"
    found = [query(warehouse, asked, as_of=at)["value_si"].to_list() for at in moments]
    assert found == [[], [1.0], [2.0], [3.0]]
    assert query(warehouse, asked)["value_si"].to_list() == [3.0]


def test_raw_log_as_of_a_time_is_what_had_been_received(warehouse: Warehouse) -> None:
    """Tables that only grow say by their rows what was known."""
    raw = rows("telemetry.raw_readings", 3)
    warehouse.write("telemetry.raw_readings", DAY, raw)
    first = raw["received_at"][0]
    asked = "SELECT count(*) AS n FROM telemetry.raw_readings"
    assert query(warehouse, asked, as_of=first)["n"].item() == 1
    assert query(warehouse, asked, as_of=first - timedelta(seconds=1))["n"].item() == 0


def test_tables_without_history_are_not_offered_for_the_past(warehouse: Warehouse) -> None:
    """What cannot be said of a moment is refused, not answered with today's rows."""
    with pytest.raises(InputError, match="gaps does not exist"):
        query(warehouse, "SELECT * FROM telemetry.gaps", as_of=datetime.now(UTC))


def test_older_columns_stay_readable(warehouse: Warehouse) -> None:
    """A version from before a column was added has nulls in it."""
    table = TABLES[READINGS]
    old = warehouse.history / table.schema / table.name
    path = warehouse.path(READINGS, DAY)
    warehouse.write(READINGS, DAY, readings({0: 1.0}))
    metadata = pl.read_parquet_metadata(path)
    readings({0: 7.0}).drop("message_id").write_parquet(
        old / f"{path.stem}__rev=1-00000000.parquet",
        metadata={"leak_assets": metadata["leak_assets"]},
    )
    found = warehouse.sql(
        "SELECT value_si, message_id FROM telemetry.readings_history() ORDER BY 1"
    )
    assert found["message_id"].null_count() == 1


def test_killed_between_keeping_and_publishing(warehouse: Warehouse) -> None:
    """The kept link is the current file still; the repeated write publishes and loses nothing."""
    warehouse.write(READINGS, DAY, readings({0: 1.0}))
    record = warehouse.record(READINGS, DAY)
    assert record is not None
    keep(warehouse.path(READINGS, DAY), warehouse.history / "telemetry" / "readings", record)
    warehouse.write(READINGS, DAY, readings({0: 2.0}))
    assert kept(warehouse) == [1]
    assert warehouse.read(READINGS, DAY)["value_si"].to_list() == [2.0]  # type: ignore[index]


def test_first_publication_is_remembered(warehouse: Warehouse) -> None:
    """However often a partition is written again, its record says when it was first published."""
    first = warehouse.write(EVENTS, DAY, rows(EVENTS, 1)).record.written_at
    for count in range(2, 60):
        warehouse.write(EVENTS, DAY, rows(EVENTS, count))
    record = warehouse.record(EVENTS, DAY)
    assert record is not None
    assert record.first_written_at == first
    assert record.revision == 59


@settings(deadline=None, max_examples=25)
@given(writes=st.lists(st.dictionaries(st.integers(0, 5), st.floats(0, 9), min_size=1), max_size=8))
def test_what_was_published_and_changed_is_never_lost(
    tmp_path_factory: pytest.TempPathFactory, writes: list[dict[int, float]]
) -> None:
    """Whatever is published in whatever order: a replaced row can be found as it was said."""
    warehouse = Warehouse(tmp_path_factory.mktemp("lake"))
    said: Callable[[pl.DataFrame], set[tuple[object, ...]]] = lambda f: set(  # noqa: E731
        f.select("ts_utc", "value_si").rows()
    )
    published = []
    for values in writes:
        warehouse.write(READINGS, DAY, readings(values))
        published.append((datetime.now(UTC), values))
    for (at, values), (_, later) in pairwise(published):
        if max(later) <= max(values) and said(readings(later)) != said(readings(values)):
            (version,) = versions_at(warehouse.root, READINGS, at).values()
            assert said(pl.read_parquet(version.path)) == said(readings(values))


def test_decisions_of_people_are_those_made_by_then(warehouse: Warehouse) -> None:
    """What somebody decided later does not show in the state of an incident as of a time."""
    decided = rows("incidents.transitions", 2)
    for number, name in enumerate(("first", "second")):
        partition = {"transition": name, "network": "l-town"}
        warehouse.write("incidents.transitions", partition, decided[number : number + 1])
    asked = "SELECT count(*) AS n FROM incidents.transitions"
    at = decided["recorded_at"][0]
    assert query(warehouse, asked, as_of=at)["n"].item() == 1
    assert query(warehouse, "SELECT * FROM incidents.incidents", as_of=at).height <= 1
