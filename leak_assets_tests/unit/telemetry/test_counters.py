"""Meters that deliver a register: flows between registers, rollover, swapped meters, day's ends."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.quality.reasons import Reason
from leak_assets.sites.contract import Contract
from leak_assets.sites.described import SensorGroup
from leak_assets.sites.sensors import Sensor, SensorLayout
from leak_assets.telemetry.readers.mapping import MappingContent, SiteMapping, load_mapping
from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.telemetry.validate import validate_day

Rows = Callable[..., pl.DataFrame]
DAY = date(2019, 3, 4)
# Five digits of cubic metres.
METER = Sensor("1", "flow", "link", "m3", counter=100_000.0)


@pytest.fixture
def layout() -> SensorLayout:
    """Return a counter and a pressure of Hanoi."""
    return SensorLayout("hanoi", (METER, Sensor("12", "pressure", "node", "m")))


@pytest.fixture
def validate(layout: SensorLayout, contract: Contract) -> Callable[..., pl.DataFrame]:
    """Return the readings of the counter, validated with what else is given."""

    def validated(raw: pl.DataFrame, **options: object) -> pl.DataFrame:
        given: dict[str, object] = {"day": DAY, **options}
        readings, *_ = validate_day(
            raw,
            network="hanoi",
            layout=layout,
            contract=contract,
            **given,  # type: ignore[arg-type]
        )
        return readings.filter(pl.col("sensor_id") == "1").sort("ts_utc")

    return validated


def registers(rows: Rows, readings: list[tuple[int, float]], **options: object) -> pl.DataFrame:
    """Return raw rows of the counter from minutes and cubic metres."""
    given = [("1", minute, value) for minute, value in readings]
    return rows(given, quantity="flow", unit="m3", **options)


def test_registers_become_flows_over_a_rollover(
    raw_rows: Rows, validate: Callable[..., pl.DataFrame]
) -> None:
    """99,998 to 4 is 6 m3 in five minutes, flagged and usable; a sound register has no flag."""
    raw = registers(raw_rows, [(0, 99_992.0), (5, 99_998.0), (10, 4.0), (15, 10.0)])
    found = validate(raw)
    assert found["value_si"].to_list() == [None, *([pytest.approx(6 / 300)] * 3)]
    assert found["flags"].to_list() == [Reason.GAP, 0, Reason.COUNTER_ROLLOVER, 0]
    assert found["quality"].to_list() == ["missing", "good", "suspect", "good"]
    assert found["mask"].to_list() == [0, 1, 1, 1]
    # The row of the log is the register, so that nobody has to believe the difference.
    assert found["message_id"].null_count() == 0


def test_a_swapped_meter_gives_no_negative_volume(
    raw_rows: Rows, validate: Callable[..., pl.DataFrame]
) -> None:
    """What flowed while a meter was swapped is not known: estimated at best, and flagged."""
    found = validate(registers(raw_rows, [(0, 500.0), (5, 503.0), (10, 7.0), (15, 10.0)]))
    assert found["flags"].to_list()[2] == Reason.COUNTER_ROLLOVER | Reason.INTERPOLATED
    assert (found["quality"].to_list()[2], found["mask"].to_list()[2]) == ("estimated", 0)
    assert found["value_si"].to_list()[3] == pytest.approx(3 / 300)
    assert (found["value_si"].drop_nulls() >= 0).all()


def test_an_hourly_register_stands_for_its_hour_across_midnight(
    raw_rows: Rows, validate: Callable[..., pl.DataFrame]
) -> None:
    """The first register of a day is compared with the last one of the evening before."""
    yesterday = registers(raw_rows, [(1320, 90.0), (1380, 126.0)])
    day = datetime(2019, 3, 5, tzinfo=UTC)
    today = registers(raw_rows, [(0, 162.0), (60, 234.0)], day=day)
    found = validate(today, day=day.date(), previous=yesterday).filter(pl.col("mask") == 1)
    assert found["value_si"].to_list() == [pytest.approx(36 / 3600), pytest.approx(72 / 3600)]


def test_an_impossible_flow_is_flagged(
    raw_rows: Rows, validate: Callable[..., pl.DataFrame], contract: Contract
) -> None:
    """A register that jumps by more than any pipe carries is out of range, and stands there."""
    jump = 1.01 * contract.quantities["flow"].max * 300
    found = validate(registers(raw_rows, [(0, 10.0), (5, 10.0 + jump)]))
    row = found.row(1, named=True)
    assert (row["flags"], row["quality"], row["mask"]) == (Reason.RANGE, "bad", 0)
    assert row["value_si"] == pytest.approx(1.01 * contract.quantities["flow"].max)


def test_an_impossible_register_breaks_nothing(
    raw_rows: Rows, validate: Callable[..., pl.DataFrame]
) -> None:
    """It is flagged, says nothing of a flow, and the next is counted from the last sound one."""
    found = validate(registers(raw_rows, [(0, 10.0), (5, -3.0), (10, 22.0)]))
    assert found["flags"].to_list() == [Reason.GAP, Reason.RANGE, 0]
    assert found["value_si"].to_list() == [None, None, pytest.approx(12 / 600)]
    assert found["mask"].to_list() == [0, 0, 1]


def test_parts_of_a_day_say_what_the_whole_day_says(
    raw_rows: Rows, validate: Callable[..., pl.DataFrame]
) -> None:
    """Flows of a counter follow from what came until then."""
    rng = np.random.default_rng(3)
    register = (99_900 + np.cumsum(rng.uniform(0, 9, 60))) % 100_000
    rows = [(5 * step, float(value)) for step, value in enumerate(register)]
    whole = validate(registers(raw_rows, rows))
    for until in (2, 20, 59):
        part = validate(registers(raw_rows, rows[:until]))
        assert part.equals(whole.head(part.height)), until


def test_counters_are_declared_in_layout_and_mapping(
    tmp_path_factory: pytest.TempPathFactory, layout: SensorLayout, parse: Callable[..., ParsedFile]
) -> None:
    """A mapped export of registers is read in m3; a unit of flow is refused where it is mapped."""
    assert SensorGroup(quantity="flow", counter=1000.0, unit="L", ids=("a",)).sensors() == [
        Sensor("a", "flow", "point", "L", counter=1.0)
    ]
    with pytest.raises(ValueError, match="belongs to flow and demand"):
        SensorGroup(quantity="pressure", counter=1000.0, ids=("a",))
    content = {
        "files": [{"layout": "wide", "time": "t"}],
        "tags": {"FT": {"sensor": "1", "quantity": "flow", "unit": "m³"}},
    }
    mapping = SiteMapping.of(MappingContent.model_validate(content))
    parsed = parse(
        "t,FT\n2019-03-04 00:00:00,99998\n2019-03-04 00:05:00,4\n", name="x.csv", mapping=mapping
    )
    assert parsed.readings["unit"].to_list() == ["m3", "m3"]
    assert parsed.readings["quantity"].to_list() == ["flow", "flow"]
    path = tmp_path_factory.mktemp("mapping") / "mapping.yaml"
    path.write_text(
        "files: [{layout: wide, time: t}]\ntags: {FT: {sensor: '1', quantity: flow, unit: m3/h}}\n"
    )
    with pytest.raises(InputError, match=r"no unit of volume; its sensor is a counter"):
        load_mapping(path, layout)
