"""A leak in scored windows: opened, revised, ended; the same however days are handed over."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from leak_assets.detection.detector import Observed
from leak_assets.detection.hypothesis import Hypothesis, frames, hypothesis_id
from leak_assets.detection.windows.method import (
    CANDIDATES,
    RESIDUALS,
    SCORES,
    WindowsDetector,
    WindowsState,
)
from leak_assets.detection.windows.policy import WindowsPolicy
from leak_assets.errors import InputError
from leak_assets_tests.hypotheses import pipes_in_a_row

DAY = date(2019, 1, 7)
POLICY = WindowsPolicy()
Track = Callable[..., list[Hypothesis]]


def detector(links: pl.DataFrame | None = None) -> WindowsDetector:
    """Return the method on four pipes of 100 m, of which the last two are far away."""
    pipes = pipes_in_a_row() if links is None else links

    def distance(a: str, b: str) -> float:
        return 0.0 if a == b else 100.0 if {a, b} == {"p1", "p2"} else 1000.0

    return WindowsDetector("net1", lambda: pipes, lambda: distance)


def observed(day: date, tables: dict[str, pl.DataFrame], until: datetime | None = None) -> Observed:
    """Return a day with its context, up to a time."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = begin + timedelta(days=1) if until is None else until
    first = begin - timedelta(days=POLICY.context_days)
    cut = {
        name: frame.filter((pl.col(time) >= first) & (pl.col(time) < end))
        for (name, frame), time in zip(
            tables.items(), ("window_end", "window_end", "ts_utc"), strict=True
        )
    }
    return Observed(day, cut)


@pytest.fixture
def told(
    window_scores: Callable[..., pl.DataFrame],
    window_candidates: Callable[..., pl.DataFrame],
    residual_rows: Callable[..., pl.DataFrame],
) -> Callable[..., dict[str, pl.DataFrame]]:
    """Return the tables of a string of windows."""

    def build(
        marks: str, residuals: pl.DataFrame | None = None, **builder: Any
    ) -> dict[str, pl.DataFrame]:
        scores = window_scores(marks, **builder)
        rows = residual_rows(len(marks) / 2) if residuals is None else residuals
        return {SCORES: scores, CANDIDATES: window_candidates(scores), RESIDUALS: rows}

    return build


@pytest.fixture
def track(told: Callable[..., dict[str, pl.DataFrame]]) -> Track:
    """Track a string of windows day by day."""

    def run(marks: str, links: pl.DataFrame | None = None, **builder: Any) -> list[Hypothesis]:
        return in_days(told(marks, **builder), -(-len(marks) // 48), detector(links))

    return run


def in_days(
    tables: dict[str, pl.DataFrame], days: int, method: WindowsDetector, *, in_bytes: bool = False
) -> list[Hypothesis]:
    """Take day after day, the state in bytes between them or not."""
    state, found = method.start(), []
    for number in range(days):
        if in_bytes:
            state = method.from_bytes(method.to_bytes(state))
        state, findings = method.step(state, observed(DAY + timedelta(days=number), tables))
        found += findings.hypotheses
    return found


def test_a_hundred_windows_of_one_burst_are_one_leak(track: Track) -> None:
    """One hypothesis however long it alarms, with few rows, ended once."""
    found = track("." * 10 + "x" * 100 + "." * 34)
    assert len({one.hypothesis_id for one in found}) == 1
    assert [one.status for one in found[:-1]] == ["reported"] * (len(found) - 1)
    assert found[-1].status == "ended"
    assert len(found) <= 14
    assert {one.reported_at for one in found} == {found[0].at}


def test_a_leak_needs_enough_alarms_among_the_last_windows(track: Track) -> None:
    """Three of four confirm, two of four and three of five do not."""
    assert track("x.x.x..x" + "." * 40) == []
    assert track("..xx.x" + "." * 42)[0].at == datetime(2019, 1, 7, 2, 55, tzinfo=UTC)


def test_the_name_comes_from_the_first_alarm(track: Track) -> None:
    """Not from the confirmation."""
    first = datetime(2019, 1, 7, 2, 55, tzinfo=UTC)
    (one, *_) = track(".....xxx" + "x" * 40)
    assert one.first_seen_at == first
    assert one.hypothesis_id == hypothesis_id("net1", "windows", "leak", first, "p2")


def test_it_ends_after_quiet_windows_with_the_last_alarm(track: Track) -> None:
    """Eight quiet windows end it; the end of the leak is the last alarmed window."""
    ended = track("xxxx" + "." * 44)[-1]
    assert ended.status == "ended"
    assert ended.ended_at == datetime(2019, 1, 7, 1, 55, tzinfo=UTC)
    assert ended.at == ended.ended_at + 8 * timedelta(minutes=30)
    assert ended.flow_m3_per_h == 0.0


def test_silent_sensors_neither_open_nor_end_a_leak(track: Track) -> None:
    """Windows without sufficient data leave it open for as long as it takes."""
    assert {one.status for one in track("xxxx" + "?" * 188)} == {"reported"}
    assert track("?" * 48) == []


def test_a_gap_in_the_scores_does_not_confirm(track: Track) -> None:
    """Alarms on both sides of an outage are not neighbors."""
    assert track("....xx" + " " * 40 + "x." + "." * 48) == []


def test_two_bursts_apart_are_two_leaks(track: Track) -> None:
    """After the end a new run of alarms is another leak that starts later."""
    found = track("xxxx" + "." * 20 + "xxxx" + "." * 20)
    first, second = dict.fromkeys(one.hypothesis_id for one in found)
    ended = next(one for one in found if one.status == "ended")
    began = next(one for one in found if one.hypothesis_id == second)
    assert ended.hypothesis_id == first
    assert ended.ended_at is not None
    assert began.onset_at > ended.ended_at


def test_place_and_reasons_stand_in_each_row(
    track: Track, residual_rows: Callable[..., pl.DataFrame]
) -> None:
    """Ranked pipes with shares of all pipes, the share nearby, signed sensors, flow, volume."""
    found = track("....." + "x" * 43, residuals=residual_rows(24, leak=(1.0, 24.0)))
    first = found[0]
    assert [pipe for pipe, _ in first.candidates] == ["p2", "p3"]
    assert [share for _, share in first.candidates] == pytest.approx([0.6, 0.3])
    assert first.element_id == "p2"
    assert first.probability == pytest.approx(0.6)
    assert [part.sensor_id for part in first.evidence[:3]] == ["n1", "inflow", "n2"]
    assert first.evidence[0].contribution < 0 < first.evidence[1].contribution
    assert found[-1].flow_m3_per_h == pytest.approx(12.0)
    assert found[-1].volume_m3 == pytest.approx(12.0 * 23, rel=0.1)


def test_without_a_pinpointer_the_strongest_sensor_is_named(
    told: Callable[..., dict[str, pl.DataFrame]], residual_rows: Callable[..., pl.DataFrame]
) -> None:
    """No list of pipes: the element is the channel that is off most, and nothing is probable."""
    tables = told("x" * 48, residuals=residual_rows(24, leak=(0.0, 24.0)))
    found = in_days(tables | {CANDIDATES: tables[CANDIDATES].clear()}, 1, detector())
    assert found[0].element_id in {"p1", "p2"}, "a pipe at the sensor that is off most"
    assert found[0].probability == 0.0


def test_a_pipe_that_the_network_does_not_know_is_refused(track: Track) -> None:
    """The error names the pipe and what to do."""
    with pytest.raises(InputError, match=r"'p2' is no pipe.*train the pinpointer"):
        track("x" * 48, links=pipes_in_a_row().filter(pl.col("link_id") != "p2"))


def test_a_policy_that_cannot_be_met_is_refused() -> None:
    """Five alarms of four windows: the message names both figures."""
    with pytest.raises(ValueError, match=r"confirm_alarms = 5 .* confirm_windows = 4"):
        WindowsPolicy(confirm_alarms=5)


def test_a_state_of_elsewhere_is_refused() -> None:
    """Another network, another format or no state at all: one line each."""
    content = detector().to_bytes(WindowsState())
    other = WindowsDetector("net2", pipes_in_a_row, lambda: lambda a, b: 0.0)
    with pytest.raises(InputError, match="wanted is windows 1 of net2"):
        other.from_bytes(content)
    with pytest.raises(InputError, match="is of windows 0"):
        detector().from_bytes(content.replace(b'"format": 1', b'"format": 0'))
    with pytest.raises(InputError, match="cannot be read"):
        detector().from_bytes(b"nothing")


RUNS = st.lists(
    st.tuples(st.sampled_from("x..?x "), st.integers(1, 30)), min_size=4, max_size=10
).map(lambda runs: "".join(mark * count for mark, count in runs).ljust(48, "."))


def rows(found: list[Hypothesis]) -> dict[str, pl.DataFrame]:
    """Return hypotheses as they are written."""
    return frames("net1", "windows", "1", found)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(marks=RUNS, seed=st.integers(0, 9))
def test_states_go_through_bytes(
    told: Callable[..., dict[str, pl.DataFrame]],
    residual_rows: Callable[..., pl.DataFrame],
    marks: str,
    seed: int,
) -> None:
    """With the state read back before each day, rows are equal to the last bit."""
    residuals = residual_rows(len(marks) / 2, leak=(3.0, 40.0), noise_z=1.0, seed=seed)
    tables, days = told(marks, residuals=residuals), -(-len(marks) // 48)
    kept, read = (in_days(tables, days, detector(), in_bytes=b) for b in (False, True))
    for table, frame in rows(kept).items():
        assert_frame_equal(frame, rows(read)[table], check_exact=True)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(marks=RUNS, cut=st.integers(1, 47))
def test_rows_do_not_depend_on_what_comes_later(
    told: Callable[..., dict[str, pl.DataFrame]],
    residual_rows: Callable[..., pl.DataFrame],
    marks: str,
    cut: int,
) -> None:
    """Causal: the rows of a half-delivered day are the first rows of the whole day."""
    residuals = residual_rows(len(marks) / 2, leak=(3.0, 40.0), noise_z=1.0)
    tables, method = told(marks, residuals=residuals), detector()
    until = datetime(2019, 1, 7, 0, 26, tzinfo=UTC) + cut * timedelta(minutes=30)
    _, part = method.step(method.start(), observed(DAY, tables, until))
    _, whole = method.step(method.start(), observed(DAY, tables))
    early = [one for one in whole.hypotheses if one.at < until]
    for table, frame in rows(early).items():
        assert_frame_equal(frame, rows(list(part.hypotheses))[table], check_exact=True)
