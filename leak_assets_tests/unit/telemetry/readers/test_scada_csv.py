"""The official CSV: clean content, and every kind of bad input by name."""

import gzip
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import Sensor, SensorLayout
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.readers.read_file import parse_file
from leak_assets.telemetry.readers.scada_header import quantity_of, read_header
from leak_assets.warehouse.schemas.telemetry import QUARANTINE, RAW_READINGS

Parse = Callable[..., ParsedFile]
Lines = Callable[..., list[str]]
FILE = "hanoi/2019_SCADA_Pressures.csv"


def only_problem(parsed: ParsedFile) -> dict[str, object]:
    assert parsed.quarantine.height == 1
    assert parsed.quarantine.schema == QUARANTINE.polars_schema
    problem = parsed.quarantine.to_dicts()[0]
    assert "\n" not in str(problem["message"])
    return problem


def test_clean_file_gives_every_value(parse: Parse, csv_lines: Lines) -> None:
    """Every value arrives with its text, line, unit and time, typed as the table wants it."""
    parsed = parse(csv_lines(4))
    assert parsed.readings.schema == RAW_READINGS.polars_schema
    assert (parsed.accepted, parsed.quarantined, parsed.empty) == (12, 0, 0)
    row = parsed.readings.filter((pl.col("sensor_id") == "21") & (pl.col("sequence") == 3)).row(
        0, named=True
    )
    assert row["raw_text"] == "31,01"
    assert row["value"] == 31.01
    assert row["unit"] == "m"
    assert row["ts_utc"] == datetime(2019, 3, 4, 0, 5, tzinfo=UTC)
    assert row["message_id"] == f"{parsed.sha256}:3"


def test_gzip_windows_line_ends_and_byte_order_mark_change_nothing(
    parse: Parse, csv_lines: Lines
) -> None:
    """The same content zipped, with CRLF and with a BOM gives the same values."""
    text = "\n".join(csv_lines(5)) + "\n"
    plain = parse(text).readings.drop("message_id")
    zipped = parse(text, "2019_SCADA_Pressures.csv.gz", zip=True)
    assert zipped.format == "csv.gz"
    windows = parse(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert plain.equals(zipped.readings.drop("message_id"))
    assert plain.equals(windows.readings.drop("message_id"))


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("2018_SCADA_Pressures.csv", "pressure"),
        ("x_flows.CSV.gz", "flow"),
        ("a_Levels-2.csv", "level"),
        ("a_Demands (1).parquet", "demand"),
        ("Pressures.csv", None),
        ("a_pressures.txt", None),
    ],
)
def test_quantity_follows_from_the_name(name: str, quantity: str | None) -> None:
    """The file name says what was measured, also for numbered copies."""
    assert quantity_of(name) == quantity


def test_missing_file(tmp_path: Path, layout: SensorLayout, contract: Contract) -> None:
    """A missing file gives one line; in strict mode it is the error of the command line."""
    path = tmp_path / "2019_SCADA_Pressures.csv"
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def read(*, strict: bool) -> ParsedFile:
        return parse_file(
            path, network="hanoi", layout=layout, contract=contract, received_at=now, strict=strict
        )

    parsed = read(strict=False)
    problem = only_problem(parsed)
    assert parsed.is_rejected
    assert parsed.readings.is_empty()
    assert (problem["file_row"], problem["reason"]) == (0, "missing_file")
    assert problem["message"] == f"{FILE}: no such file. Check the path and deliver the file"
    with pytest.raises(InputError, match=r"Pressures\.csv: no such file"):
        read(strict=True)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "Timestamp,12,21",
            "row 1: the header `Timestamp,12,21` is separated by `,`, not `;`."
            " Write the header as `Timestamp;id;id…`",
        ),
        (
            "12;21;27",
            "row 1, column 12: the first column is `12`, not `Timestamp`."
            " Write the header as `Timestamp;id;id…`",
        ),
        (
            "Timestamp;12;12",
            "row 1, column 12: the column `12` is there 2 times. Keep one of them",
        ),
        (
            "Timestamp",
            "row 1, column Timestamp: the header `Timestamp` names no sensor."
            " Write the header as `Timestamp;id;id…`",
        ),
        (
            "Timestamp;12;",
            "row 1: column number 3 has no name. Remove it, or name its sensor",
        ),
    ],
)
def test_wrong_header(parse: Parse, csv_lines: Lines, header: str, message: str) -> None:
    """A wrong header is one whole-file problem, and the strict mode's error."""
    lines = [header, *csv_lines(3)[1:]]
    parsed = parse(lines)
    problem = only_problem(parsed)
    assert parsed.is_rejected
    assert (problem["file_row"], problem["reason"]) == (0, "wrong_header")
    assert problem["message"] == f"{FILE}, {message}"
    with pytest.raises(InputError) as error:
        parse(lines, strict=True)
    assert str(error.value).endswith(f"2019_SCADA_Pressures.csv, {message}")


@pytest.mark.parametrize(
    ("text", "reason", "told"),
    [
        (
            "28.92",
            "decimal_point",
            "`28.92` has a decimal point where a comma belongs. Write `28,92`"
            " (the format is `;` between fields and a decimal comma)",
        ),
        (
            "n/a",
            "not_a_number",
            "`n/a` is not a number. Write a number such as `28,92`,"
            " or leave the field empty for a missing value",
        ),
        (
            "1.234,5",
            "not_a_number",
            "`1.234,5` is not a number. Write a number such as `28,92`,"
            " or leave the field empty for a missing value",
        ),
        (
            "28,",
            "not_a_number",
            "`28,` is not a number. Write a number such as `28,92`,"
            " or leave the field empty for a missing value",
        ),
        (
            "NaN",
            "not_finite",
            "`NaN` is not a finite number. Leave the field empty for a missing value",
        ),
        (
            "-inf",
            "not_finite",
            "`-inf` is not a finite number. Leave the field empty for a missing value",
        ),
        (
            "1e999",
            "not_finite",
            "`1e999` is not a finite number. Leave the field empty for a missing value",
        ),
    ],
)
def test_bad_value(parse: Parse, csv_lines: Lines, text: str, reason: str, told: str) -> None:
    """A bad value is told with file, row, column, value and remedy; its neighbours arrive."""
    lines = csv_lines(4)
    lines[2] = f"2019-03-04 00:05:00;30,01;{text};32,01"
    parsed = parse(lines)
    problem = only_problem(parsed)
    assert (parsed.accepted, parsed.quarantined) == (11, 1)
    assert (problem["file_row"], problem["column_name"]) == (3, "21")
    assert (problem["raw_text"], problem["reason"]) == (text, reason)
    assert problem["ts_utc"] == datetime(2019, 3, 4, 0, 5, tzinfo=UTC)
    assert problem["message"] == f"{FILE}, row 3, column 21: {told}"


@pytest.mark.parametrize("text", ["99999,0", "-1e300", "1e9"])
def test_impossible_values_are_readings(parse: Parse, csv_lines: Lines, text: str) -> None:
    """Validation flags them; who uses what is read as it is has them told in its place."""
    lines = csv_lines(4)
    lines[2] = f"2019-03-04 00:05:00;30,01;{text};32,01"
    parsed = parse(lines)
    assert (parsed.accepted, parsed.quarantined) == (12, 0)
    found = parsed.readings.filter(pl.col("raw_text") == text)
    assert found["value"].to_list() == [float(text.replace(",", "."))]
    refused = parse(lines, refuses_impossible=True)
    problem = only_problem(refused)
    assert (refused.accepted, refused.quarantined) == (11, 1)
    assert problem["reason"] == "out_of_range"
    assert problem["message"] == (
        f"{FILE}, row 3, column 21: `{text}` m is outside the possible range of pressure, -100 to"
        " 1000 m. Check the sensor and the unit in the layout, or widen the range in"
        " configs/readings.yaml"
    )


def test_bytes_that_are_not_utf8(parse: Parse, csv_lines: Lines) -> None:
    """A value with foreign bytes is told with its place; the rest of the line arrives."""
    text = "\n".join(csv_lines(4)) + "\n"
    parsed = parse(text.encode().replace(b"31,01", b"31\xff01"))
    problem = only_problem(parsed)
    assert parsed.accepted == 11
    assert problem["reason"] == "not_utf8"
    assert problem["message"] == (
        f"{FILE}, row 3, column 21: `31\\xff01` has bytes that are not UTF-8."
        " Export the file as UTF-8 and deliver it again"
    )


def test_empty_value_is_missing_not_wrong(parse: Parse, csv_lines: Lines) -> None:
    """Empty and blank fields are missing values: no reading, no quarantine."""
    lines = csv_lines(2)
    lines[1] = "2019-03-04 00:00:00;;  ;32,00"
    parsed = parse(lines)
    assert (parsed.accepted, parsed.quarantined, parsed.empty) == (4, 0, 2)


def test_unknown_sensor(parse: Parse, csv_lines: Lines) -> None:
    """A column that the layout does not have is told once; the other columns arrive."""
    parsed = parse(csv_lines(4, ids=("12", "211", "27")))
    problem = only_problem(parsed)
    assert (parsed.accepted, parsed.quarantined) == (8, 4)
    assert (problem["file_row"], problem["column_name"]) == (1, "211")
    assert problem["message"] == (
        f"{FILE}, row 1, column 211: `211` is no pressure sensor of hanoi;"
        " 4 values were left out. Correct the name or add the sensor to the layout of hanoi"
        " (21, … 3 in all)"
    )


@pytest.mark.parametrize(
    ("time", "reason", "told"),
    [
        (
            "04/03/2019 00:05",
            "bad_timestamp",
            "`04/03/2019 00:05` is not a time stamp. Write times in UTC as `2019-01-31 23:55:00`",
        ),
        ("", "bad_timestamp", "`` is not a time stamp. Write times in UTC as"),
        (
            "1970-01-01 00:05:00",
            "timestamp_out_of_range",
            "`1970-01-01 00:05:00` is before 2018-01-01, the first day of the platform."
            " Check the clock of the device and deliver the line again",
        ),
        (
            "2026-01-01 01:00:01",
            "timestamp_out_of_range",
            "`2026-01-01 01:00:01` is more than 60 min after the file came"
            " (2026-01-01 00:00:00 UTC). Check the clock",
        ),
    ],
)
def test_bad_time_stamp(parse: Parse, csv_lines: Lines, time: str, reason: str, told: str) -> None:
    """A line whose time cannot be true is told; the other lines arrive."""
    lines = csv_lines(4)
    lines[2] = f"{time};30,01;31,01;32,01"
    parsed = parse(lines)
    problem = only_problem(parsed)
    assert (parsed.accepted, parsed.quarantined) == (9, 3)
    assert (problem["column_name"], problem["reason"]) == ("Timestamp", reason)
    assert str(problem["message"]).startswith(f"{FILE}, row 3, column Timestamp: {told}")


def test_range_of_times_is_a_parameter(parse: Parse, csv_lines: Lines) -> None:
    """An archive from before the platform's first day can be read on purpose."""
    lines = csv_lines(3, start=datetime(2016, 5, 1, tzinfo=UTC))
    assert parse(lines).accepted == 0
    assert parse(lines, first_day=date(2016, 1, 1)).accepted == 9


@pytest.mark.parametrize(
    ("line", "fields", "column"), [("2019-03-04 00:05:00;30,01", 2, "21"), ("x;1;2;3;4", 5, "27")]
)
def test_wrong_number_of_fields(
    parse: Parse, csv_lines: Lines, line: str, fields: int, column: str
) -> None:
    """A line with too few or too many fields is told as a line; the others arrive."""
    lines = csv_lines(4)
    lines[2] = line
    parsed = parse(lines)
    problem = only_problem(parsed)
    assert (parsed.accepted, parsed.quarantined) == (9, 3)
    assert (problem["column_name"], problem["raw_text"]) == ("", line)
    assert problem["message"] == (
        f"{FILE}, row 3, column {column}: `{line}` has {fields} fields where the header has 4."
        " Give every column one field, also where a value is missing"
    )


def test_half_written_last_line(parse: Parse, csv_lines: Lines) -> None:
    """A file cut inside its last line gives all whole lines and tells where it broke off."""
    parsed = parse("\n".join(csv_lines(3))[:-8])
    problem = only_problem(parsed)
    assert (parsed.accepted, parsed.quarantined) == (6, 3)
    assert problem["reason"] == "half_written_line"
    assert problem["message"] == (
        f"{FILE}, row 4, column 21: the last line breaks off after"
        " `2019-03-04 00:10:00;30,02;31,`."
        " Deliver the file again when it is complete; the lines above were taken"
    )


def test_file_cut_inside_its_last_value(parse: Parse, csv_lines: Lines) -> None:
    """`32,0` at the end of a file of two decimals is half of `32,02` and is not taken."""
    parsed = parse("\n".join(csv_lines(3))[:-1])
    problem = only_problem(parsed)
    assert (parsed.accepted, parsed.quarantined) == (8, 1)
    assert str(problem["message"]).startswith(
        f"{FILE}, row 4, column 27: `32,0` ends the file without a line end and has fewer decimals"
    )


def test_file_without_last_line_end_is_complete(parse: Parse, csv_lines: Lines) -> None:
    """A missing line end alone proves nothing: many writers leave it out."""
    parsed = parse("\n".join(csv_lines(3)))
    assert (parsed.accepted, parsed.quarantined) == (9, 0)


def test_truncated_gzip(parse: Parse, csv_lines: Lines) -> None:
    """The whole lines before the cut arrive; the rest is one line in quarantine."""
    zipped = gzip.compress(("\n".join(csv_lines(3000)) + "\n").encode())
    parsed = parse(zipped[: len(zipped) // 2], "2019_SCADA_Pressures.csv.gz")
    problem = only_problem(parsed)
    whole_lines = parsed.accepted // 3
    assert 1000 < whole_lines < 3000
    assert parsed.accepted % 3 == 0
    assert (problem["file_row"], problem["reason"]) == (whole_lines + 2, "truncated_gzip")
    assert f"{FILE}.gz, row {whole_lines + 2}, column " in str(problem["message"])
    assert "the gzip stream is cut off after `" in str(problem["message"])
    assert str(problem["message"]).endswith(
        "Copy the file again from its source; the lines above were taken"
    )


def test_gzip_cut_inside_its_header(parse: Parse, csv_lines: Lines) -> None:
    """A gzip that holds not even a header is one whole-file problem."""
    zipped = gzip.compress("\n".join(csv_lines(30)).encode())
    problem = only_problem(parse(zipped[:14], "2019_SCADA_Pressures.csv.gz"))
    assert (problem["file_row"], problem["reason"]) == (0, "truncated_gzip")


def test_corrupt_gzip(parse: Parse, csv_lines: Lines) -> None:
    """A gzip with a wrong check sum gives nothing: no value of it can be trusted."""
    zipped = bytearray(gzip.compress("\n".join(csv_lines(30)).encode()))
    zipped[-6] ^= 0xFF
    parsed = parse(bytes(zipped), "2019_SCADA_Pressures.csv.gz")
    assert parsed.accepted == 0
    assert only_problem(parsed)["reason"] == "corrupt_gzip"


@pytest.mark.parametrize("content", ["", "\n\n", "Timestamp;12;21;27\n"])
def test_empty_file(parse: Parse, content: str) -> None:
    """A file without data is told as a whole."""
    problem = only_problem(parse(content))
    assert (problem["file_row"], problem["reason"]) == (0, "empty_file")
    assert str(problem["message"]).endswith("Export it again")


def test_unsupported_format(parse: Parse) -> None:
    """A file in no known format is told as a whole."""
    problem = only_problem(parse("x", "readings.xlsx"))
    assert problem["message"] == (
        "hanoi/readings.xlsx: `readings.xlsx` is in no format that can be read."
        " Deliver .csv, .csv.gz or .parquet"
    )


def test_ten_bad_of_a_hundred(parse: Parse, csv_lines: Lines) -> None:
    """Ten bad values of a hundred: ninety arrive, ten are in quarantine with reason and file."""
    lines = csv_lines(100, ids=("12",))
    for row, text in enumerate(
        ["x", "1.5", "NaN", "inf", "--", "1e999", "?", "1,2,3", "0x1", "-,"]
    ):
        lines[row * 9 + 1] = lines[row * 9 + 1].split(";")[0] + ";" + text
    parsed = parse(lines)
    assert (parsed.accepted, parsed.quarantine.height) == (90, 10)
    assert set(parsed.quarantine["file_path"]) == {FILE}
    assert parsed.quarantine["reason"].null_count() == 0


def test_a_wrong_decimal_sign_everywhere_is_told_briefly(parse: Parse, csv_lines: Lines) -> None:
    """Past a thousand lines a column's problem is summed up, and every value is still counted."""
    lines = [line.replace(",", ".") for line in csv_lines(1500)]
    parsed = parse(lines)
    assert parsed.quarantined == 4500
    assert parsed.quarantine.height == 3 * 1001
    last = parsed.quarantine.filter(pl.col("file_row") == 1002)["message"]
    assert "; 499 more lines down to row 1501 have the same problem" in last[0]


def test_clock_changes_do_not_exist_in_utc(parse: Parse, csv_lines: Lines) -> None:
    """The days on which European clocks change have 288 steps like any other."""
    for day in (datetime(2019, 3, 31, tzinfo=UTC), datetime(2019, 10, 27, tzinfo=UTC)):
        parsed = parse(csv_lines(288, ids=("12",), start=day))
        times = parsed.readings["ts_utc"]
        assert (parsed.accepted, times.n_unique()) == (288, 288)
        assert times.max() == day + timedelta(hours=23, minutes=55)


def test_local_time_is_refused_where_it_is_ambiguous(
    parse: Parse, csv_lines: Lines, contract: Contract, layout: SensorLayout, tmp_path: Path
) -> None:
    """With a local source zone the doubled hour is quarantined, not guessed."""
    path = tmp_path / "2019_SCADA_Pressures.csv"
    start = datetime(2019, 10, 27, tzinfo=UTC)
    path.write_text("\n".join(csv_lines(60, ids=("12",), start=start)))
    parsed = parse_file(
        path,
        network="hanoi",
        layout=layout,
        contract=contract.model_copy(update={"source_timezone": "Europe/Berlin"}),
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert parsed.first_ts == datetime(2019, 10, 26, 22, 0, tzinfo=UTC)
    assert (parsed.accepted, parsed.quarantined) == (48, 12)
    assert set(parsed.quarantine["reason"]) == {"ambiguous_local_time"}


def test_days_hold_all_readings(parse: Parse, csv_lines: Lines) -> None:
    """The readings of the days together are the readings of the file."""
    parsed = parse(csv_lines(700))
    assert [d.isoformat() for d in parsed.days] == ["2019-03-04", "2019-03-05", "2019-03-06"]
    assert pl.concat([parsed.readings_of(d) for d in parsed.days]).equals(parsed.readings)


def test_wide_is_in_si(parse: Parse) -> None:
    """The wide form has SI values; of two lines with one time the later counts."""
    lines = ["Timestamp;1", "2019-03-04 00:00:00;36,0", "2019-03-04 00:00:00;72,0"]
    wide = parse(lines, "2019_SCADA_Flows.csv").wide()
    assert wide.columns == ["ts_utc", "flow/1"]
    assert wide["flow/1"].to_list() == pytest.approx([0.02])


def test_header_can_be_read_alone(tmp_path: Path, csv_lines: Lines) -> None:
    """Quantity and sensors follow from name and first line."""
    path = tmp_path / "2018_SCADA_Demands.csv.gz"
    path.write_bytes(gzip.compress("\n".join(csv_lines(9)).encode()))
    assert read_header(path) == ("demand", ("12", "21", "27"))
    with pytest.raises(InputError, match="no such file"):
        read_header(tmp_path / "2018_SCADA_Flows.csv")


def test_official_files_are_read_whole(shared_data: Path, contract: Contract) -> None:
    """A year of the official flows arrives without a loss."""
    path = shared_data / "battledim-official" / "2019_SCADA_Flows.csv.gz"
    quantity, ids = read_header(path)
    layout = SensorLayout("l-town", tuple(Sensor(i, quantity, "link", "m3/h") for i in ids))
    parsed = parse_file(
        path,
        network="l-town",
        layout=layout,
        contract=contract,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert (parsed.accepted, parsed.quarantine.height) == (105120 * 3, 0)
    assert parsed.last_ts == datetime(2019, 12, 31, 23, 55, tzinfo=UTC)
