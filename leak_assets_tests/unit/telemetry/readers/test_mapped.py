"""A site's own exports: laid out any way, mapped to sensors, bad rows told, good rows taken."""

import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leak_assets.quality.reasons import Reason
from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.telemetry.raw import merge_raw
from leak_assets.telemetry.readers.mapping import SiteMapping, load_mapping
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.validate import validate_day
from leak_assets.warehouse.schemas.telemetry import QUARANTINE, RAW_READINGS
from leak_assets.warehouse.validation import validate

Parse = Callable[..., ParsedFile]
Map = Callable[[str], SiteMapping]

WIDE = """\
files:
  - layout: wide
    time: [Datum, Zeit]
    time_format: "%d.%m.%Y %H:%M"
    timezone: Europe/Berlin
    delimiter: ";"
    decimal: ","
    skip_lines: 2
    ignore: [Kommentar]
tags:
  PT-12: {sensor: "12", quantity: pressure, unit: bar}
  PT-21: {sensor: "21", quantity: pressure}
  FT-1: {sensor: "1", quantity: flow, unit: L/min, factor: 10}
"""
LONG = """\
files:
  - layout: long
    time: ts
    tag: tag
    value: value
    unit: unit
tags:
  PT-12: {sensor: "12", quantity: pressure, unit: bar}
  PT-21: {sensor: "21", quantity: pressure}
  FT-1: {sensor: "1", quantity: flow, unit: L/min}
"""
EXPORT = """\
Anlage Nord
erzeugt am 4.3.2019
Datum;Zeit;PT-12;PT-21;FT-1;Kommentar
04.03.2019;01:00;3,5;30,25;12;gut
04.03.2019;01:05;3,6;30,35;12,5;"Pumpe; laut ""Meyer"" läuft"
"""


@pytest.fixture
def mapped(tmp_path: Path, layout: SensorLayout) -> Map:
    """Return a reader of mappings."""

    def read(text: str) -> SiteMapping:
        path = tmp_path / "mapping.yaml"
        path.write_text(text)
        return load_mapping(path, layout)

    return read


def values(parsed: ParsedFile) -> list[tuple[object, ...]]:
    frame = parsed.readings.sort("quantity", "sensor_id", "ts_utc")
    return frame.select("sensor_id", "ts_utc", "raw_text", "value", "unit", "sequence").rows()


def test_wide_export(parse: Parse, mapped: Map) -> None:
    """Local time, decimal comma, quotes, lines above the header and factor: as the mapping says."""
    parsed = parse(EXPORT, "export.csv", mapping=mapped(WIDE))
    midnight, later = (datetime(2019, 3, 4, 0, minute, tzinfo=UTC) for minute in (0, 5))
    assert parsed.quarantine.is_empty()
    assert values(parsed) == [
        ("1", midnight, "12", 120.0, "L/min", 4),
        ("1", later, "12,5", 125.0, "L/min", 5),
        ("12", midnight, "3,5", 3.5, "bar", 4),
        ("12", later, "3,6", 3.6, "bar", 5),
        ("21", midnight, "30,25", 30.25, "", 4),
        ("21", later, "30,35", 30.35, "", 5),
    ]


def test_same_data_long_wide_csv_and_parquet(parse: Parse, mapped: Map) -> None:
    """The layout and the format of a file make no other readings."""
    rows = [
        ("2019-03-04 00:00:00", "PT-12", "3.5", "bar"),
        ("2019-03-04 00:05:00", "PT-12", "3.6", "bar"),
        ("2019-03-04 00:00:00", "FT-1", "120", "L/min"),
    ]
    text = "ts,tag,value,unit\n" + "".join(",".join(row) + "\n" for row in rows)
    frame = pl.DataFrame(rows, schema=["ts", "tag", "value", "unit"], orient="row").with_columns(
        pl.col("value").cast(pl.Float64), pl.col("ts").str.to_datetime()
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    mapping = mapped(LONG)
    found = [
        parse(text, "x.csv", mapping=mapping),
        parse(gzip.compress(text.encode()), "x.csv.gz", mapping=mapping),
        parse(buffer.getvalue(), "x.parquet", mapping=mapping),
    ]
    same = ["sensor_id", "quantity", "ts_utc", "value", "unit", "sequence"]
    one, *others = [p.readings.select(same).sort(same) for p in found]
    assert one.height == 3
    assert all(other.equals(one) for other in others)
    assert [p.format for p in found] == ["csv", "csv.gz", "parquet"]


def test_ten_of_a_hundred_rows_are_bad(parse: Parse, mapped: Map) -> None:
    """Ninety readings arrive, ten are in quarantine with file, line and reason."""
    clocks = [f"2019-03-04 {n // 12:02d}:{n % 12 * 5:02d}:00" for n in range(100)]
    lines = [f"{clock},PT-12,{3 + n / 100},bar" for n, clock in enumerate(clocks)]
    bad = {
        0: "2019-03-04 00:00:00,PT-99,3,bar",
        9: "2019-03-04 00:00:00,PT-12,NaN,bar",
        18: "2019-03-04 00:00:00,PT-12,-inf,bar",
        27: "2019-03-04 00:00:00,PT-12,1e999,bar",
        36: "2019-03-04 00:00:00,PT-12,3 bar,bar",
        45: "2019-03-04 00:00:00,PT-12,3,furlong",
        54: "1970-01-01 00:00:00,PT-12,3,bar",
        63: "2099-01-01 00:00:00,PT-12,3,bar",
        72: "2019-03-04 00:00:00,PT-12,3",
        81: "4th of March,PT-12,3,bar",
    }
    for place, line in bad.items():
        lines[place] = line
    parsed = parse("\n".join(["ts,tag,value,unit", *lines, ""]), "x.csv", mapping=mapped(LONG))
    assert (parsed.accepted, parsed.quarantined, parsed.values) == (90, 10, 100)
    told = parsed.quarantine.select("file_row", "reason").rows()
    assert told == [
        (2, "unknown_tag"),
        (11, "not_finite"),
        (20, "not_finite"),
        (29, "not_finite"),
        (38, "not_a_number"),
        (47, "unknown_unit"),
        (56, "timestamp_out_of_range"),
        (65, "timestamp_out_of_range"),
        (74, "wrong_field_count"),
        (83, "bad_timestamp"),
    ]
    assert set(parsed.quarantine["file_path"]) == {"hanoi/x.csv"}


def test_psi_to_a_bar_tag(
    parse: Parse, mapped: Map, layout: SensorLayout, contract: Contract
) -> None:
    """With its unit psi is converted; without any unit the reading is flagged `unit_suspect`."""
    text = "ts,tag,value,unit\n2019-03-04 00:05:00,PT-12,50.7632,psi\n"
    text += "2019-03-04 00:05:00,PT-21,50.7632,\n"
    raw, _ = merge_raw(RAW_READINGS.empty(), parse(text, "x.csv", mapping=mapped(LONG)).readings)
    readings, _, _ = validate_day(
        raw, network="hanoi", layout=layout, contract=contract, day=raw["ts_utc"][0].date()
    )
    rows = {row["sensor_id"]: row for row in readings.iter_rows(named=True)}
    assert rows["12"]["value_si"] == pytest.approx(35.69, abs=0.01)
    assert rows["12"]["flags"] & Reason.UNIT_SUSPECT == 0
    # The layout's unit counts (m), and that nobody declared it is told.
    assert rows["21"]["value_si"] == pytest.approx(50.7632)
    assert rows["21"]["flags"] & Reason.UNIT_SUSPECT
    assert rows["21"]["quality"] == "suspect"


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("unix_s", "1551657600"),
        ("unix_ms", "1551657600000"),
        ("%Y-%m-%dT%H:%M:%S%z", "2019-03-04T01:00:00+01:00"),
        ("%d/%m/%y %I:%M %p", "04/03/19 12:00 AM"),
    ],
)
def test_time_formats(parse: Parse, mapped: Map, time_format: str, text: str) -> None:
    """Seconds since 1970, offsets and clocks of twelve hours give the same instant."""
    mapping = mapped(LONG.replace("time: ts", f'time: ts\n    time_format: "{time_format}"'))
    parsed = parse(f"ts,tag,value,unit\n{text},PT-12,3,bar\n", "x.csv", mapping=mapping)
    assert parsed.readings["ts_utc"].to_list() == [datetime(2019, 3, 4, tzinfo=UTC)]


def test_hour_that_comes_twice_is_not_guessed(parse: Parse, mapped: Map) -> None:
    """When clocks go back, a local time without offset is quarantined, the others are taken."""
    lines = [f"27.10.2019;{clock};3,5;30;12;" for clock in ("01:55", "02:30", "03:00")]
    parsed = parse("\n".join([*EXPORT.splitlines()[:3], *lines, ""]), "x.csv", mapping=mapped(WIDE))
    assert parsed.accepted == 6
    assert parsed.quarantine["reason"].to_list() == ["ambiguous_local_time"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty_file"),
        ("\n\n", "empty_file"),
        ("a,b\n1,2\n", "wrong_header"),
        ("ts,tag,value,unit,ts\n", "wrong_header"),
        ("ts,tag,value,unit\n", "empty_file"),
        (b"\xff\xfet\x00s\x00", "not_utf8"),
        (gzip.compress(b"ts,tag\n" * 99, mtime=0)[:-9] + b"rubbish!!", "corrupt_gzip"),
        (gzip.compress(b"\n" * 11_000_000, 1, mtime=0), "too_large"),
    ],
)
def test_file_that_cannot_be_used(
    parse: Parse, mapped: Map, content: str | bytes, reason: str
) -> None:
    """The whole file is one row of the quarantine; a gzip bomb is not unpacked."""
    parsed = parse(content, "x.csv", mapping=mapped(LONG))
    assert parsed.is_rejected
    assert parsed.quarantine["reason"].to_list() == [reason]


def test_line_of_ten_megabytes(parse: Parse, mapped: Map) -> None:
    """One endless line is one bad row; those around it are taken."""
    good = "2019-03-04 00:0{}:00,PT-12,3,bar"
    text = "\n".join(["ts,tag,value,unit", good.format(0), "x" * 10_000_000, good.format(5), ""])
    parsed = parse(text, "x.csv", mapping=mapped(LONG))
    assert parsed.accepted == 2
    assert parsed.quarantine.select("file_row", "reason").rows() == [(3, "wrong_field_count")]
    assert len(parsed.quarantine["raw_text"][0]) <= 200


FIELDS = st.one_of(
    st.sampled_from(
        ["2019-03-04 00:00:00", "1970-01-01", "2099-01-01 00:00:00", "PT-12", "FT-1", "bar", "3.5"]
    ),
    st.sampled_from(["", "NaN", "inf", "-1e308", "1e999", "0x10", '"', '"a', "'", "\\x00", ";"]),
    st.floats().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.text(max_size=6),
)
LINES = st.lists(FIELDS, max_size=6).map(",".join)
TABLES = st.lists(LINES, max_size=8).map(
    lambda lines: "\n".join(["ts,tag,value,unit", *lines]).encode("utf-8", "surrogatepass")
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.one_of(TABLES, st.binary(max_size=300), TABLES.map(gzip.compress)), st.booleans())
def test_any_content_is_read(parse: Parse, mapped: Map, content: bytes, is_long: bool) -> None:
    """Whatever is in a file, each value is accepted, empty or quarantined."""
    top, _, rest = LONG.partition("    tag:")
    wide = top.replace("long", "wide") + rest[rest.index("tags:") :]
    text = LONG if is_long else wide
    good = b"2019-03-04 00:10:00,PT-12,3.5,bar\n" if is_long else b""
    content = content if content[:2] == b"\x1f\x8b" else content + b"\n" + good
    parsed = parse(content, "x.csv", mapping=mapped(text))
    validate(parsed.quarantine, QUARANTINE)
    assert parsed.readings.schema == RAW_READINGS.polars_schema
    assert parsed.values == parsed.accepted + parsed.quarantined + parsed.empty
    assert parsed.readings["value"].is_finite().all()


COLUMNS = st.sampled_from(
    [
        pl.Series("value", [3.5, float("nan"), None]),
        pl.Series("value", [2**63 - 1, -1, 0]),
        pl.Series("value", ["3.5", "x", ""]),
        pl.Series("value", [b"3.5", b"\xff", None]),
        pl.Series("value", [[1.0], [], None]),
        pl.Series("value", [{"a": 1}, None, None]),
        pl.Series("value", [True, False, None]),
        pl.Series("value", [None, None, None]),
        pl.Series("value", [datetime(2019, 3, 4, tzinfo=UTC)] * 3),
    ]
)
CLOCKS = st.sampled_from(
    [
        pl.Series("ts", ["2019-03-04"] * 3).str.to_datetime("%Y-%m-%d"),
        pl.Series("ts", [datetime(2019, 3, 4, tzinfo=UTC)] * 3),
        pl.Series("ts", ["2019-03-04 00:00:00", "x", None]),
        pl.Series("ts", [1.0, float("inf"), None]),
        pl.Series("ts", [2**62, 0, -5]),
        pl.Series("ts", [[1], [2], None]),
        pl.Series("ts", [b"2019-03-04", None, b"\xff"]),
    ]
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(COLUMNS, CLOCKS, st.sampled_from(["", "unix_s", "unix_ms", "%Y-%m-%d"]))
def test_any_parquet_types_are_read(
    parse: Parse, mapped: Map, value: pl.Series, clock: pl.Series, time_format: str
) -> None:
    """Columns of any type give readings or rows of the quarantine."""
    text = LONG.replace("time: ts", f'time: ts\n    time_format: "{time_format}"')
    mapping = mapped(text if time_format else LONG)
    buffer = io.BytesIO()
    tags = pl.Series("tag", ["PT-12", "FT-1", "PT-21"])
    pl.DataFrame([clock, tags, value, pl.Series("unit", [None, 7, None])]).write_parquet(buffer)
    parsed = parse(buffer.getvalue(), "x.parquet", mapping=mapping)
    validate(parsed.quarantine, QUARANTINE)
    assert parsed.values == parsed.accepted + parsed.quarantined + parsed.empty
