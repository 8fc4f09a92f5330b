"""The days of a file, where it holds none that can be used."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from leak_assets.telemetry.readers.times import TimeRange
from leak_assets.telemetry.sources.spans import day_span

RECEIVED = datetime(2026, 1, 1, 23, 50, tzinfo=UTC)
ALLOWED = TimeRange(date(2018, 1, 1), RECEIVED, 3600.0)


def span(path: Path) -> tuple[date, date]:
    return day_span(path, ALLOWED, "UTC")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x_Flows.csv", b""),
        ("x_Flows.csv", b"Timestamp;1\n"),
        ("x_Flows.csv", b"Timestamp;1\nyesterday;1,00\n"),
        ("x_Flows.csv", b"Timestamp;1\n2017-12-31 23:55:00;1,00\n"),
        ("x_Flows.csv.gz", b"\x1f\x8b nonsense"),
        ("x_Flows.parquet", b"PAR1 nonsense"),
        ("x_Flows.parquet", b""),
        ("x_Flows.txt", b"2019-03-04 00:00:00;1,00\n"),
    ],
)
def test_file_without_a_usable_time_is_of_the_day_of_receipt(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """Its quarantine has to be written in some run; a later retry names the same day."""
    path = tmp_path / name
    path.write_bytes(content)
    assert span(path) == (RECEIVED.date(), RECEIVED.date())


def test_missing_file_is_of_the_day_of_receipt(tmp_path: Path) -> None:
    """A file that was taken away between two looks does no harm."""
    assert span(tmp_path / "x_Flows.csv") == (RECEIVED.date(), RECEIVED.date())


def test_clocks_that_run_ahead_count_as_far_as_the_reader_takes_them(tmp_path: Path) -> None:
    """An hour ahead is another day just before midnight; a wrong year is none."""
    path = tmp_path / "x_Flows.csv"
    lines = "Timestamp;1\n2026-01-01 12:00:00;1,0\n{};1,0\n"
    path.write_text(lines.format("2026-01-02 00:45:00"))
    assert span(path) == (date(2026, 1, 1), date(2026, 1, 2))
    path.write_text(lines.format("2062-01-02 00:45:00"))
    assert span(path) == (date(2026, 1, 1), date(2026, 1, 1))


def test_half_of_a_zipped_file_counts_up_to_its_break(tmp_path: Path) -> None:
    """What the reader takes of a broken stream has its days too."""
    path = tmp_path / "x_Flows.csv.gz"
    lines = "".join(f"2019-03-{day:02d} 00:00:00;{day},00\n" for day in range(1, 32))
    path.write_bytes(gzip.compress(f"Timestamp;1\n{lines}".encode())[:-20])
    first, last = span(path)
    assert first == date(2019, 3, 1)
    assert date(2019, 3, 2) < last < date(2019, 3, 31)
