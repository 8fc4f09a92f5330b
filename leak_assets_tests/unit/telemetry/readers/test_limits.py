"""Files made to fill the memory are refused in one line, quickly; problems are kept to a bound."""

import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from leak_assets.telemetry.readers.limits import MOST_LINES, PROBLEMS_KEPT
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.readers.problems import Problem
from leak_assets.telemetry.sources.source_bytes import read_text

Parse = Callable[..., ParsedFile]
HEADER = b"Timestamp;12\n"
START = datetime(2019, 3, 4, tzinfo=UTC)


def refusal(parsed: ParsedFile) -> str:
    """Return why nothing of a file was taken."""
    assert parsed.is_rejected
    [row] = parsed.quarantine.to_dicts()
    assert row["reason"] == "too_large"
    assert len(parsed.sha256) == 64
    return str(row["message"])


@pytest.mark.parametrize("zipped", [True, False])
def test_too_many_lines(parse: Parse, *, zipped: bool) -> None:
    """Empty lines by the million: a gzip file of kilobytes, and the same unzipped."""
    content = HEADER + b"\n" * MOST_LINES
    data = gzip.compress(content, 1) if zipped else content
    assert "10,000,000 lines. Deliver it in several files" in refusal(parse(data))


def test_more_than_memory_is_not_unpacked() -> None:
    """Spaces without a line end: unpacking stops at the bound."""
    text = read_text(gzip.compress(b" " * 3_000_000), most_bytes=2_000_000)
    assert isinstance(text, Problem)
    assert "more than 512 MiB" in text.problem


def test_many_members(parse: Parse) -> None:
    """A gzip file of empty members costs a copy for each."""
    data = gzip.compress(HEADER) + gzip.compress(b"") * 20_000
    assert "gzip members" in refusal(parse(data, "x_Pressures.csv.gz"))


def test_too_many_columns(parse: Parse) -> None:
    """A header of a million names."""
    header = ";".join(["Timestamp", *map(str, range(10_001))])
    assert "10,000 columns" in refusal(parse(f"{header}\n1;2\n"))


def test_too_many_values(parse: Parse) -> None:
    """Lines times columns, in text and in Parquet, where nulls take no room."""
    header = ";".join(["Timestamp", *map(str, range(9_000))])
    assert "50,000,000 values" in refusal(parse(f"{header}\n" + "\n" * 6_000))
    buffer = io.BytesIO()
    columns = {str(n): pl.repeat(None, 6_000, dtype=pl.Float64, eager=True) for n in range(9_000)}
    pl.DataFrame(columns).write_parquet(buffer)
    assert "50,000,000 values" in refusal(parse(buffer.getvalue(), "x_Pressures.parquet"))


def test_too_many_sensors_in_a_long_file(parse: Parse) -> None:
    """Each unknown sensor costs a search for the name that was meant."""
    buffer = io.BytesIO()
    rows = pl.DataFrame({"sensor_id": [f"s{n}" for n in range(10_001)]}).with_columns(
        quantity=pl.lit("pressure"),
        ts_utc=START,
        value=1.0,
    )
    rows.write_parquet(buffer)
    assert "10,000 sensors" in refusal(parse(buffer.getvalue(), "x.parquet"))


def test_problems_are_kept_to_a_bound(parse: Parse) -> None:
    """Thousands of unknown sensors with a time that cannot be read: counted, not listed."""
    buffer = io.BytesIO()
    times = [START + timedelta(minutes=5 * n) for n in range(250)]
    rows = pl.DataFrame({"sensor_id": [f"s{n}" for n in range(100)]}).join(
        pl.DataFrame({"ts_utc": times}), how="cross"
    )
    rows.with_columns(quantity=pl.lit("pressure"), value=1.0).write_parquet(buffer)
    parsed = parse(buffer.getvalue(), "x.parquet")
    assert parsed.quarantine.height == PROBLEMS_KEPT + 1
    assert parsed.quarantined == 25_000
    [last] = parsed.quarantine.filter(pl.col("reason") == "more_problems").to_dicts()
    assert "5,000 more problems are counted but not listed" in last["message"]
