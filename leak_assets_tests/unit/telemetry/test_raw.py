"""The raw log: union of deliveries, idempotent, nothing doubled, corrections kept."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leak_assets.telemetry.raw import distinct_readings, merge_raw
from leak_assets.telemetry.readers.parsed_file import ParsedFile, cell_schema, distinct_day
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

Rows = Callable[..., pl.DataFrame]
EMPTY = RAW_READINGS.empty()
_DATE = date(2019, 3, 4)
DAY = [("12", 0, 30.0), ("12", 5, 30.5), ("21", 0, 41.0)]


def test_same_file_twice(raw_rows: Rows) -> None:
    """The same file again changes nothing and is counted."""
    first, none = merge_raw(EMPTY, raw_rows(DAY))
    second, duplicates = merge_raw(first, raw_rows(DAY, received_minute=9))
    assert (none, duplicates) == (0, 3)
    assert second.equals(first)
    assert first.schema == RAW_READINGS.polars_schema


def test_same_values_in_another_file(raw_rows: Rows) -> None:
    """Values that another file delivered first are duplicates; the first file keeps them."""
    first, _ = merge_raw(EMPTY, raw_rows(DAY))
    second, duplicates = merge_raw(
        first, raw_rows([*DAY, ("21", 5, 41.5)], received_minute=9, sha="b" * 64)
    )
    assert duplicates == 3
    assert second.height == 4
    assert second.filter(pl.col("message_id").str.starts_with("b"))["value"].to_list() == [41.5]


def test_correction_is_kept_beside_the_first_value(raw_rows: Rows) -> None:
    """Another value for the same sensor and time is stored, the first one stays."""
    first, _ = merge_raw(EMPTY, raw_rows(DAY))
    second, duplicates = merge_raw(
        first, raw_rows([("12", 0, 33.0)], received_minute=9, sha="b" * 64)
    )
    assert duplicates == 0
    assert second.filter(pl.col("sensor_id") == "12")["value"].to_list() == [30.0, 33.0, 30.5]


def test_correction_taken_back_is_a_correction(raw_rows: Rows) -> None:
    """The first value delivered anew after a correction must count again, so it is stored."""
    frame = EMPTY
    for minute, value in enumerate((30.0, 33.0, 30.0)):
        rows = raw_rows([("12", 0, value)], received_minute=minute, sha=f"{minute}" * 64)
        frame, duplicates = merge_raw(frame, rows)
        assert duplicates == 0
    assert frame["value"].to_list() == [30.0, 33.0, 30.0]


def test_same_number_in_another_unit_is_another_reading(raw_rows: Rows) -> None:
    """3 bar is not 3 m."""
    first, _ = merge_raw(EMPTY, raw_rows([("12", 0, 3.0)]))
    _, duplicates = merge_raw(
        first, raw_rows([("12", 0, 3.0)], received_minute=1, sha="b" * 64, unit="bar")
    )
    assert duplicates == 0


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["12", "21"]),
                st.sampled_from([0, 5, 10]),
                st.sampled_from([1.0, 2.0]),
            ),
            max_size=6,
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 3),
)
def test_killed_and_repeated_run(
    raw_rows: Rows, files: list[list[tuple[str, int, float]]], killed_after: int
) -> None:
    """A run killed after any file and repeated ends with the same frame as one that was not."""
    deliveries = [
        raw_rows(readings, received_minute=i, sha=f"{i}" * 64) for i, readings in enumerate(files)
    ]
    whole = EMPTY
    for rows in deliveries:
        whole, _ = merge_raw(whole, rows)
    repeated = EMPTY
    for rows in [*deliveries[:killed_after], *deliveries]:
        repeated, _ = merge_raw(repeated, rows)
    again, duplicates = merge_raw(whole, deliveries[-1])
    assert repeated.equals(whole)
    assert again.equals(whole)
    assert duplicates == deliveries[-1].height


@given(
    st.lists(
        st.tuples(st.sampled_from(["12", "21", "27"]), st.integers(0, 287)), min_size=1, unique=True
    ),
    st.integers(1, 3),
)
@settings(max_examples=25, deadline=None)
def test_days_of_files_are_in_the_order_of_their_log(
    places: list[tuple[str, int]], files: int
) -> None:
    """Files that bring nothing twice give the rows, in the order, that merging them gives."""
    parsed = [_parsed(places[n::files], sha=f"{n}" * 64) for n in range(files)]
    parsed = [one for one in parsed if one.accepted]
    expected = distinct_readings([one.readings_of(_DATE) for one in parsed])
    found = distinct_day(parsed, _DATE)
    assert found is not None
    assert expected is not None
    assert found.equals(expected)
    assert distinct_day([*parsed, _parsed(places[:1], sha="9" * 64)], _DATE) is None


def _parsed(places: list[tuple[str, int]], sha: str) -> ParsedFile:
    """Return a file of the values of some sensors at some steps of the day."""
    rows = [
        (sensor, "pressure", "m", datetime(2019, 3, 4, tzinfo=UTC) + step * timedelta(minutes=5),
         line, f"{step}", float(step))
        for line, (sensor, step) in enumerate(sorted(places), start=2)
    ]  # fmt: skip
    schema = cell_schema(["27", "12", "21"], ["pressure", "flow"], ["", "m"])
    return ParsedFile(
        network="hanoi", file_path="x", sha256=sha, size_bytes=1, format="csv",
        received_at=datetime(2019, 3, 5, tzinfo=UTC),
        cells=pl.DataFrame(rows, schema=schema, orient="row"), quarantine=pl.DataFrame(),
        values=len(rows), quarantined=0, empty=0, is_rejected=False,
    )  # fmt: skip
