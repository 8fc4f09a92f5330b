"""The ledger row of a file says what became of its values."""

from collections.abc import Callable
from datetime import UTC, datetime

from leak_assets.telemetry.ledger import ledger_row
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.warehouse.schemas.telemetry import INGEST_LEDGER


def test_row_accounts_for_every_value(
    parse: Callable[..., ParsedFile], csv_lines: Callable[..., list[str]]
) -> None:
    """Readings are accepted plus quarantined; empty fields are none."""
    lines = csv_lines(4)
    lines[1] = "2019-03-04 00:00:00;;x;32,00"
    parsed = parse(lines)
    row = ledger_row(
        parsed,
        network="hanoi",
        file_path=parsed.file_path,
        size_bytes=parsed.size_bytes,
        mtime_ns=1,
        duplicates=2,
        left=0,
        ingested_at=datetime(2026, 1, 1, tzinfo=UTC),
        run_id="r",
    )
    assert row.schema == INGEST_LEDGER.polars_schema
    values = row.row(0, named=True)
    assert (values["readings"], values["accepted"], values["quarantined"]) == (11, 10, 1)
    assert values["last_ts_utc"] == datetime(2019, 3, 4, 0, 15, tzinfo=UTC)


def test_row_of_a_rejected_file(parse: Callable[..., ParsedFile]) -> None:
    """A rejected file has a row without times and readings."""
    row = ledger_row(
        parse("nonsense"),
        network="hanoi",
        file_path="hanoi/x.csv",
        size_bytes=8,
        mtime_ns=1,
        duplicates=0,
        left=0,
        ingested_at=datetime(2026, 1, 1, tzinfo=UTC),
        run_id="r",
    ).row(0, named=True)
    assert (row["readings"], row["first_ts_utc"], row["status"]) == (0, None, "rejected")


def test_row_of_a_file_with_days_left(
    parse: Callable[..., ParsedFile], csv_lines: Callable[..., list[str]]
) -> None:
    """Accepted counts only what is in the raw log; the rest makes the file partial."""
    parsed = parse(csv_lines(4))
    row = ledger_row(
        parsed,
        network="hanoi",
        file_path=parsed.file_path,
        size_bytes=parsed.size_bytes,
        mtime_ns=1,
        duplicates=0,
        left=5,
        ingested_at=datetime(2026, 1, 1, tzinfo=UTC),
        run_id="r",
    ).row(0, named=True)
    assert (row["status"], row["readings"], row["accepted"]) == ("partial", 12, 7)
