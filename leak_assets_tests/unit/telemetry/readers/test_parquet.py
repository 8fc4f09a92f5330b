"""Parquet files: the same readings as the CSV, units per reading, every kind of bad input."""

import io
from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import SensorLayout
from leak_assets.telemetry.raw import merge_raw
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.validate import validate_day
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

Parse = Callable[..., ParsedFile]
Lines = Callable[..., list[str]]
NAME = "2019_SCADA_Pressures.parquet"


def as_bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def wide_of(lines: list[str]) -> pl.DataFrame:
    text = "\n".join(lines).replace(",", ".").encode()
    return pl.read_csv(text, separator=";").with_columns(
        pl.col("Timestamp").str.to_datetime(time_unit="us")
    )


def long_frame(rows: list[tuple[object, ...]], columns: tuple[str, ...]) -> bytes:
    return as_bytes(pl.DataFrame(rows, schema=list(columns), orient="row"))


@pytest.mark.parametrize("variant", ["wide", "wide_32_bit", "wide_text", "wide_aware", "long"])
def test_same_data_as_csv_and_parquet(
    parse: Parse, csv_lines: Lines, layout: SensorLayout, contract: Contract, variant: str
) -> None:
    """CSV and Parquet of the same data give identical validated readings, value for value."""
    lines = csv_lines(50)
    lines[7] = lines[7].rsplit(";", 1)[0] + ";"
    from_csv = parse(lines)
    wide = wide_of(lines)
    sensors = wide.columns[1:]
    frame = {
        "wide": wide,
        "wide_32_bit": wide.with_columns(pl.col(sensors).cast(pl.Float32)),
        "wide_text": wide.with_columns(pl.all().cast(pl.String)),
        "wide_aware": wide.with_columns(pl.col("Timestamp").dt.replace_time_zone("UTC")),
        "long": wide.unpivot(
            index="Timestamp", variable_name="sensor_id", value_name="value"
        ).select(
            pl.col("Timestamp").alias("ts_utc"),
            "sensor_id",
            pl.lit("pressure").alias("quantity"),
            "value",
            pl.lit("m").alias("unit"),
        ),
    }[variant]
    from_parquet = parse(as_bytes(frame), NAME)
    assert from_parquet.quarantine.is_empty()
    assert from_parquet.readings.schema == RAW_READINGS.polars_schema
    validated = [
        validate_day(
            merge_raw(RAW_READINGS.empty(), parsed.readings)[0],
            network="hanoi",
            layout=layout,
            contract=contract,
            day=parsed.days[0],
        )[0].drop("message_id")
        for parsed in (from_csv, from_parquet)
    ]
    assert_frame_equal(*validated, check_exact=True)
    if variant == "wide":
        same = ["sensor_id", "quantity", "ts_utc", "sequence", "value", "unit"]
        assert_frame_equal(from_csv.readings.select(same), from_parquet.readings.select(same))


def test_declared_unit_of_a_reading_is_kept(parse: Parse) -> None:
    """A reading that declares psi at a sensor laid out in m arrives in psi."""
    at = datetime(2019, 3, 4, tzinfo=UTC)
    content = long_frame(
        [(at, "12", "pressure", 50.0, "psi"), (at, "21", "pressure", 30.0, None)],
        ("ts_utc", "sensor_id", "quantity", "value", "unit"),
    )
    parsed = parse(content, "x.parquet")
    units = dict(parsed.readings.select("sensor_id", "unit").iter_rows())
    assert units == {"12": "psi", "21": ""}
    assert parsed.wide()["pressure/12"].to_list() == pytest.approx([35.153], abs=1e-3)


def test_ten_bad_of_a_hundred_rows(parse: Parse) -> None:
    """Ten bad rows of a hundred: ninety arrive, ten are told with row, value and remedy."""
    rows: list[tuple[object, ...]] = [
        (datetime(2019, 3, 4, i // 12, i % 12 * 5, tzinfo=UTC), "12", "pressure", str(30 + i), None)
        for i in range(100)
    ]
    good_time = datetime(2019, 3, 4, 1, tzinfo=UTC)
    rows[4:14] = [
        (good_time, "99", "pressure", "1", None),
        (good_time, "12", "temperature", "1", None),
        (good_time, "12", "pressure", "abc", None),
        (good_time, "12", "pressure", "NaN", None),
        (good_time, "12", "pressure", "5e999", None),
        (good_time, "12", "pressure", "1", "gpm"),
        (good_time, "12", "pressure", "1", "furlong"),
        (None, "12", "pressure", "1", None),
        (datetime(1999, 1, 1, tzinfo=UTC), "12", "pressure", "1", None),
        (good_time, None, "pressure", "1", None),
    ]
    content = long_frame(rows, ("ts_utc", "sensor_id", "quantity", "value", "unit"))
    parsed = parse(content, "x.parquet")
    assert (parsed.accepted, parsed.quarantined, parsed.quarantine.height) == (90, 10, 10)
    assert parsed.quarantine["file_row"].to_list() == list(range(6, 16))
    assert parsed.quarantine["reason"].to_list() == [
        "unknown_sensor",
        "unknown_sensor",
        "not_a_number",
        "not_finite",
        "not_finite",
        "unknown_unit",
        "unknown_unit",
        "bad_timestamp",
        "timestamp_out_of_range",
        "unknown_sensor",
    ]
    assert parsed.quarantine["message"][2] == (
        "hanoi/x.parquet, row 8, column value: `abc` is not a number."
        " Write a number such as `28.92`, or leave the field empty for a missing value"
    )


def test_bad_values_of_a_wide_file(parse: Parse, csv_lines: Lines) -> None:
    """NaN is told, null is missing, an unknown column is told once; the rest arrives."""
    wide = wide_of(csv_lines(4)).with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(float("nan")).otherwise("12").alias("12"),
        pl.when(pl.int_range(pl.len()) != 2).then("21").alias("21"),
        pl.lit(1.0).alias("99"),
    )
    parsed = parse(as_bytes(wide), NAME)
    assert (parsed.accepted, parsed.quarantined, parsed.empty) == (10, 5, 1)
    assert parsed.quarantine["reason"].to_list() == ["unknown_sensor", "not_finite"]


@pytest.mark.parametrize(
    ("frame", "name", "told"),
    [
        (pl.DataFrame({"12": [1.0]}), NAME, "column Timestamp: the column `Timestamp` is missing"),
        (
            pl.DataFrame({"sensor_id": ["12"], "ts_utc": [1], "value": [1.0]}),
            NAME,
            "column quantity: the column `quantity` is missing",
        ),
        (pl.DataFrame({"Timestamp": [1]}), NAME, "no column holds a sensor's values"),
        (
            pl.DataFrame({"Timestamp": [1], "12": [1.0]}),
            "x.parquet",
            "the name `x.parquet` does not say what was measured",
        ),
    ],
)
def test_wrong_columns(parse: Parse, frame: pl.DataFrame, name: str, told: str) -> None:
    """Missing columns are told as one whole-file problem with the remedy."""
    parsed = parse(as_bytes(frame), name)
    assert parsed.is_rejected
    assert parsed.quarantine["file_row"].to_list() == [0]
    assert told in parsed.quarantine["message"][0]


def test_truncated_parquet(parse: Parse, csv_lines: Lines) -> None:
    """Half a Parquet file gives one whole-file problem: its index stands at its end."""
    content = as_bytes(wide_of(csv_lines(400)))
    parsed = parse(content[: len(content) // 2], NAME)
    assert parsed.quarantine["reason"].to_list() == ["unreadable_parquet"]
    assert "Copy the file again from its source" in parsed.quarantine["message"][0]


def test_numbers_are_no_time_stamps(parse: Parse) -> None:
    """A number as time stamp could be anything: every row is told, none is guessed."""
    parsed = parse(as_bytes(pl.DataFrame({"Timestamp": [1, 2], "12": [1.0, 2.0]})), NAME)
    assert parsed.quarantine["reason"].to_list() == ["bad_timestamp"] * 2
