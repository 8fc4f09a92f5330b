"""Whatever is done to a file, reading it never raises and every value is accounted for."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from leak_assets.settings import FIRST_DAY
from leak_assets.sites.contract import load_contract
from leak_assets.sites.sensors import Sensor, SensorLayout
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.readers.read_file import MAX_AHEAD_S, parse_file
from leak_assets.telemetry.readers.times import TimeRange
from leak_assets.telemetry.sources.spans import day_span

IDS = ("12", "21", "27")
CONTRACT = load_contract()
RECEIVED = datetime(2026, 1, 1, tzinfo=UTC)
LAYOUT = SensorLayout("hanoi", tuple(Sensor(i, "pressure", "node", "m") for i in IDS))
CLEAN = "\n".join(
    [
        "Timestamp;12;21;27",
        *(f"2019-03-04 00:{5 * i:02d}:00;3{i},25;3{i},50;3{i},75" for i in range(9)),
        "",
    ]
).encode()


def read(content: bytes) -> ParsedFile:
    """Read content as a file; also, no reading is on a day outside the file's span."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x_Pressures.csv"
        path.write_bytes(content)
        parsed = parse_file(
            path, network="hanoi", layout=LAYOUT, contract=CONTRACT, received_at=RECEIVED
        )
        allowed = TimeRange(FIRST_DAY, RECEIVED, MAX_AHEAD_S)
        first, last = day_span(path, allowed, CONTRACT.source_timezone)
    assert all(first <= day <= last for day in parsed.days)
    return parsed


def accounted(parsed: ParsedFile) -> bool:
    return parsed.accepted + parsed.quarantined + parsed.empty == parsed.values


EDIT = st.tuples(
    st.integers(0, len(CLEAN)),
    st.integers(0, 30),
    st.one_of(
        st.sampled_from([b";", b"\n", b",", b".", b"\r\n", b'"', b"\x00", b"\xff", b"nan", b" "]),
        st.binary(max_size=6),
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EDIT, max_size=6))
def test_mutilated_file(edits: list[tuple[int, int, bytes]]) -> None:
    """Cuts and insertions anywhere: no exception, nothing uncounted, keys stay unique."""
    content = CLEAN
    for at, removed, inserted in edits:
        content = content[:at] + inserted + content[at + removed :]
    parsed = read(content)
    assert accounted(parsed)
    key = ["file_row", "column_name", "reason"]
    assert parsed.quarantine.select(key).is_unique().all()
    assert all("\n" not in message for message in parsed.quarantine["message"])


CLOCK = st.text("0123456789-+: TZz.", max_size=3)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 19), CLOCK), max_size=6))
@example([(0, 0, "-")])
def test_mutilated_clocks(edits: list[tuple[int, int, str]]) -> None:
    """Whatever time a line tells, its day is one that the file's span has."""
    lines = CLEAN.decode().split("\n")
    for number, at, inserted in edits:
        line = lines[number + 1]
        lines[number + 1] = line[:at] + inserted + line[at + len(inserted) :]
    assert accounted(read("\n".join(lines).encode()))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="\n\r;"), max_size=8
            ),
            max_size=5,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_fields(lines: list[list[str]]) -> None:
    """Any text in any number of fields below a good header: counted line by line."""
    body = "\n".join(";".join(fields) for fields in lines)
    parsed = read(f"Timestamp;12;21;27\n{body}\n".encode())
    assert accounted(parsed)
    data_lines = sum(bool(line.encode().strip()) for line in body.split("\n"))
    assert parsed.values == 3 * data_lines or parsed.is_rejected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(CLEAN) - 1))
def test_cut_anywhere(length: int) -> None:
    """A prefix of a good file never gives a value that the whole file does not have."""
    whole = read(CLEAN).readings.select("sensor_id", "ts_utc", "value")
    part = read(CLEAN[:length]).readings.select("sensor_id", "ts_utc", "value")
    assert part.join(whole, on=["sensor_id", "ts_utc", "value"], how="anti").is_empty()
