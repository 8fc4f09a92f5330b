"""Single judgements on made-up matrices: what each finds, and what it must leave alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leak_assets.quality.counter import increments
from leak_assets.quality.flat_line import flat_lines, run_lengths
from leak_assets.quality.rate_of_change import jumps
from leak_assets.quality.reasons import BAD, MADE_UP, OF_READINGS, SUSPECT, WORDS, Reason, legend
from leak_assets.quality.reverse_flow import reversed_flows
from leak_assets.warehouse.schemas.telemetry import READINGS

NAN = np.nan


def test_runs_pass_over_gaps_and_end_with_another_value() -> None:
    """Missing steps neither count nor end a run; a run goes on from before the first step."""
    values = np.array([[1.0, 1.0, NAN, 1.0, 2.0, 2.0], [3.0, NAN, 3.0, 3.0, 3.0, 4.0]])
    assert run_lengths(values).tolist() == [[1, 2, 0, 3, 1, 2], [1, 0, 2, 3, 4, 1]]
    before = run_lengths(values, np.array([1.0, 9.0]), np.array([5, 7]))
    assert before.tolist() == [[6, 7, 0, 8, 1, 2], [1, 0, 2, 3, 4, 1]]


@given(
    arrays(np.float64, (2, 12), elements=st.sampled_from([0.0, 1.0, 2.0, NAN])),
    st.integers(1, 11),
)
def test_runs_can_be_counted_in_parts(values: np.ndarray, cut: int) -> None:
    """Counting on from the last value and run gives what counting all at once gives."""
    whole = run_lengths(values)
    first = run_lengths(values[:, :cut])
    seen = np.isfinite(values[:, :cut])
    last = np.where(seen.any(1), cut - 1 - seen[:, ::-1].argmax(1), 0)
    rows = np.arange(2)
    before = np.where(seen.any(1), values[rows, last], NAN)
    rest = run_lengths(values[:, cut:], before, first[rows, last])
    assert rest.tolist() == whole[:, cut:].tolist()


def test_zero_may_rest() -> None:
    """A sensor that may rest is not stuck at zero, and is at another value."""
    values = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [5.0, 5.0, 5.0]])
    rests = np.array([True, False, True])
    found = flat_lines(run_lengths(values), values, np.array([3, 3, 3]), rests)
    assert found[:, 2].tolist() == [False, True, True]


def test_jumps_are_measured_against_the_reference() -> None:
    """Twice the largest step of the reference is the limit; without a reference nothing is told."""
    values = np.array([[10.0, 11.9, 14.1, NAN, 30.0], [1.0, 100.0, 1.0, 1.0, 1.0]])
    found = jumps(values, np.array([1.0, NAN]))
    assert found.tolist() == [[False, False, True, False, False], [False] * 5]


def test_reverse_flow_is_only_told_of_meters_that_ran_forward() -> None:
    """Noise about zero and meters that see both directions are left alone."""
    values = np.array([[5.0, -0.05, -1.0], [5.0, -1.0, -3.0]])
    found = reversed_flows(values, np.array([5.0, 5.0]), np.array([0.0, -4.0]))
    assert found.tolist() == [[False, False, True], [False, False, False]]


@pytest.mark.parametrize(
    ("register", "counted", "rolled"),
    [
        ([99998.0, 99999.0, 3.0], [NAN, 1.0, 4.0], 2),
        ([50000.0, 3.0, 4.0], [NAN, NAN, 1.0], None),
        ([99999.0, NAN, 3.0], [NAN, NAN, NAN], None),
    ],
)
def test_counters_roll_over(
    register: list[float], counted: list[float], rolled: int | None
) -> None:
    """99999 to 3 is 4; a register that was swapped or not read gives no volume."""
    found, at = increments(np.array(register), 100_000.0)
    np.testing.assert_array_equal(found, counted)
    assert np.flatnonzero(at).tolist() == ([] if rolled is None else [rolled])


@given(st.lists(st.floats(0, 900), min_size=2, max_size=50), st.floats(0, 99_999))
def test_counted_volumes_are_never_negative(flows: list[float], start: float) -> None:
    """Whatever flows, a five-digit register gives it back."""
    register = (start + np.cumsum(flows)) % 100_000.0
    counted, _ = increments(register, 100_000.0)
    np.testing.assert_allclose(counted[1:], flows[1:], atol=1e-6)


def test_every_reason_has_words_and_a_place() -> None:
    """Each bit is told in words, belongs to one consequence, and stands in the catalogue."""
    assert set(WORDS) == set(Reason)
    of_readings = Reason(0)
    for reason in OF_READINGS:
        of_readings |= reason
    assert of_readings == BAD | MADE_UP | SUSPECT
    assert not BAD & SUSPECT
    assert not BAD & MADE_UP
    [flags] = [column for column in READINGS.columns if column.name == "flags"]
    assert flags.description.endswith(legend())
