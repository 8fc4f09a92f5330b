"""The ledger row of a delivery says what became of its values."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from leak_assets.telemetry.ledger import days_as_text, days_from_text, ledger_row
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.sources.landing import LandedFile
from leak_assets.warehouse.schemas.telemetry import INGEST_LEDGER

FILE = LandedFile(Path("landing/hanoi/x.csv"), "hanoi", 8, 1, 2, datetime(2026, 1, 1, tzinfo=UTC))


def row_of(parsed: ParsedFile) -> pl.DataFrame:
    return ledger_row(
        FILE, parsed, duplicates=2, ingested_at=datetime(2026, 1, 1, tzinfo=UTC), run_id="r"
    )


def test_row_accounts_for_every_value(
    parse: Callable[..., ParsedFile], csv_lines: Callable[..., list[str]]
) -> None:
    """Readings are accepted plus quarantined; empty fields are none."""
    lines = csv_lines(4)
    lines[1] = "2019-03-04 00:00:00;;x;32,00"
    row = row_of(parse(lines))
    assert row.schema == INGEST_LEDGER.polars_schema
    values = row.row(0, named=True)
    assert (values["readings"], values["accepted"], values["quarantined"]) == (11, 10, 1)
    assert values["last_ts_utc"] == datetime(2019, 3, 4, 0, 15, tzinfo=UTC)
    assert (values["file_path"], values["fingerprint"]) == ("hanoi/x.csv", "8:1:2")


def test_row_of_a_rejected_file(parse: Callable[..., ParsedFile]) -> None:
    """A rejected file has a row without times and readings."""
    row = row_of(parse("nonsense")).row(0, named=True)
    assert (row["readings"], row["first_ts_utc"], row["days"]) == (0, None, "")
    assert row["status"] == "rejected"


def test_days_read_well() -> None:
    """Days in a row are a range."""
    days = [date(2019, 2, 28), date(2019, 3, 1), date(2019, 3, 3)]
    assert days_as_text(days) == "2019-02-28..2019-03-01 2019-03-03"


@given(st.sets(st.dates(date(2018, 1, 1), date(2020, 12, 31)), max_size=40))
def test_days_come_back_from_their_text(days: set[date]) -> None:
    """Whatever the gaps."""
    assert list(days_from_text(days_as_text(sorted(days)))) == sorted(days)
