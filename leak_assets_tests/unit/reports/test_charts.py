"""Charts as geometry: ticks by local clocks, gaps, ranges, what is said of them."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from leak_assets.reports.charts import Series, Span, draw_chart, draw_sparkline, time_ticks

START = datetime(2019, 3, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hours(count: int) -> list[datetime]:
    """Return so many hours."""
    return [START + n * HOUR for n in range(count)]


def test_ticks_stand_at_local_midnights_also_where_clocks_change() -> None:
    """The last Sunday of March has 23 hours in Berlin; its ticks are midnights all the same."""
    ticks = time_ticks(START, START + timedelta(days=5), "Europe/Berlin")
    local = [at.astimezone(ZoneInfo("Europe/Berlin")) for at, _ in ticks]
    assert {(t.hour, t.minute) for t in local} == {(0, 0)}
    assert [label for _, label in ticks] == ["31 Mar", "1 Apr", "2 Apr", "3 Apr", "4 Apr"]


@given(
    st.integers(946_684_800, 3_786_912_000),
    st.timedeltas(timedelta(minutes=1), timedelta(days=4000)),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]),
)
def test_few_ticks_in_order_whatever_the_time(
    begin: datetime, length: timedelta, zone: str
) -> None:
    """At most a dozen, inside, each later than the one before."""
    start = datetime.fromtimestamp(begin, UTC)
    ticks = [at.astimezone(UTC) for at, _ in time_ticks(start, start + length, zone)]
    assert len(ticks) <= 13
    assert all(start <= at <= start + length for at in ticks)
    assert ticks == sorted(set(ticks))


values = st.lists(st.none() | st.floats(-1e9, 1e9, allow_subnormal=False), min_size=0, max_size=40)


@given(values, st.sampled_from(["line", "dots", "bars"]))
def test_whatever_the_values_a_chart_stays_in_its_box(
    given_values: list[float | None], kind: str
) -> None:
    """No value beyond the box, no tick outside, no number that is none."""
    chart = draw_chart(
        "Flow", "m³/h", [Series(name="flow", times=hours(len(given_values)), values=given_values,
                                kind=kind)],
        zone="UTC", span=(START, START + 40 * HOUR),
    )  # fmt: skip
    assert chart.is_empty == all(v is None for v in given_values)
    for path in chart.paths:
        heights = [float(y) for y in re.findall(r"[ML][\d.-]+ ([\d.-]+)", path.path)]
        assert all(-0.1 <= y <= 100.1 for y in heights)
    assert all(-0.1 <= place <= 100.1 for place, _ in chart.y_ticks)
    assert "nan" not in repr(chart)


def test_a_gap_is_a_gap() -> None:
    """Missing values and missing steps end a line; what stands alone is a dot."""
    times = [*hours(4), START + 20 * HOUR, START + 21 * HOUR]
    series = Series(name="p", times=times, values=[1.0, 2.0, None, 3.0, 4.0, 5.0])
    (drawn,) = draw_chart("P", "m", [series], zone="UTC", span=(START, times[-1])).paths
    assert drawn.path.count("M") == 3
    assert drawn.path.count("h0") == 1


def test_a_band_is_closed_and_spans_are_cut_to_the_time_shown() -> None:
    """Upper edge there, lower edge back; an incident that began before begins at the edge."""
    band = Series(name="band", times=hours(3), values=[2.0] * 3, lower=[1.0] * 3, kind="band")
    marked = [
        Span(START - HOUR, START + HOUR, "incident", "one"),
        Span(START - 2 * HOUR, START - HOUR, "incident", "before"),
    ]
    chart = draw_chart("P", "m", [band], zone="UTC", span=(START, START + 2 * HOUR), marked=marked)
    assert chart.paths[0].path.endswith("Z")
    assert [(left, width) for left, width, *_ in chart.spans] == [(0.0, 50.0)]


def test_a_chart_says_what_it_shows() -> None:
    """For whoever does not see it: range, last value, unit, and when by the local clock."""
    series = Series(name="measured", times=hours(3), values=[10.0, 30.5, 20.25])
    chart = draw_chart(
        "Pressure", "m", [series], zone="Europe/Berlin", span=(START, START + 3 * HOUR)
    )
    assert chart.said == (
        "Pressure: measured between 10.00 and 30.50 m, last 20.25 m at 2019-03-30 03:00"
    )
    empty = draw_chart("Pressure", "m", [], zone="UTC", span=(START, START + HOUR))
    assert empty.said == "Pressure: no data"


@pytest.mark.parametrize("given_values", [[], [None], [None, None]])
def test_a_small_chart_of_nothing_is_nothing(given_values: list[None]) -> None:
    """No path for no value."""
    assert draw_sparkline(given_values) == ("", "")


def test_one_day_is_a_level_line() -> None:
    """A mini-graph of one value goes from edge to edge."""
    line, area = draw_sparkline([5.0])
    assert line.startswith("M0.0")
    assert "L100.0" in line
    assert area.endswith("Z")
