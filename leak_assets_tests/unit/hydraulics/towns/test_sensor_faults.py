"""Sensor faults: what they make of measured values, exactly where they say."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leak_assets.errors import InputError
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.towns.sensor_faults import KINDS, SensorFault, apply_faults
from leak_assets.sites import load_layout

START = datetime(2019, 1, 7, tzinfo=UTC)
STEP_S = 300
STEPS = 48
SIZES = {
    "constant": 1.5,
    "drift": 2.0,
    "gaussian": 0.5,
    "percentage": -0.1,
    "spike": 4.0,
    "dropout": 0.3,
    "clock_shift": 900.0,
    "unit_change": 0.0689,
}


@pytest.fixture(scope="module")
def layout(hanoi):
    """Return Hanoi's layout."""
    return load_layout(hanoi)


def step_time(k: int) -> datetime:
    """Return the time of a step."""
    return START + timedelta(seconds=k * STEP_S)


def faulty(layout, *faults: SensorFault, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the first pressure sensor's values without and with faults (T)."""
    rng = np.random.default_rng(0)
    measured = {
        q: rng.normal(40, 1, (STEPS, len(layout.ids(q)))).cumsum(axis=0)
        for q in ("pressure", "flow", "level", "demand")
        if layout.ids(q)
    }
    out = apply_faults(measured, layout, faults, start_at=START, step_s=STEP_S, seed=seed)
    for quantity, values in measured.items():
        touched = [
            i
            for i, name in enumerate(layout.ids(quantity))
            if f"{quantity}/{name}" in {f.column for f in faults}
        ]
        others = [i for i in range(values.shape[1]) if i not in touched]
        assert np.array_equal(out[quantity][:, others], values[:, others]), "other sensors"
    return measured["pressure"][:, 0], out["pressure"][:, 0]


def fault(layout, kind: str, first: int = 12, last: int = 24) -> SensorFault:
    """Return a fault of the first pressure sensor from one step to before another."""
    column = f"pressure/{layout.ids('pressure')[0]}"
    return SensorFault(kind, column, step_time(first), step_time(last), SIZES.get(kind, 0.0))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_the_steps_of_the_fault_change(layout, kind) -> None:
    """Before its start and from its end on, values are as they were; in it something changes."""
    before, after = faulty(layout, fault(layout, kind))
    on = np.zeros(STEPS, dtype=bool)
    on[12:24] = True
    assert np.array_equal(before[~on], after[~on])
    assert not np.array_equal(before[on], after[on])
    assert before[12] != after[12], "it is there from its first step"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_same_seed_same_fault(layout, kind) -> None:
    """What is random hangs on the seed."""
    one, again = faulty(layout, fault(layout, kind))[1], faulty(layout, fault(layout, kind))[1]
    assert np.array_equal(one, again, equal_nan=True)


def test_values_of_each_kind(layout) -> None:
    """The values are those that the kind promises."""
    x = faulty(layout)[0]
    made = {kind: faulty(layout, fault(layout, kind))[1][12:24] for kind in KINDS}
    inside = x[12:24]
    assert np.allclose(made["constant"], inside + 1.5)
    assert np.allclose(made["drift"] - inside, np.arange(1, 13) / 12 * 2.0)
    assert 0.2 < (made["gaussian"] - inside).std() < 0.9
    assert np.allclose(made["percentage"], 0.9 * inside)
    assert (made["stuck_zero"] == 0).all()
    assert (made["stuck_last"] == x[11]).all()
    off = np.abs(made["spike"] - inside)
    assert ((off < 1e-9) | np.isclose(off, 4.0)).all()
    assert 1 <= (off > 1).sum() <= 6
    assert 1 <= np.isnan(made["dropout"]).sum() < 12
    assert np.isnan(made["outage"]).all()
    assert np.array_equal(made["clock_shift"], x[9:21])
    assert np.allclose(made["unit_change"], 0.0689 * inside)
    assert np.array_equal(made["replay"], x[:12])


def test_clock_shift_has_nothing_to_stamp_at_the_edges(layout) -> None:
    """A clock that is ahead at the start of a run has no earlier reading to show."""
    late = faulty(layout, fault(layout, "clock_shift", 0, 6))[1]
    assert np.isnan(late[:3]).all()
    assert np.isfinite(late[3:]).all()


@given(
    first=st.integers(-5, STEPS + 5), length=st.integers(1, 60), kind=st.sampled_from(sorted(KINDS))
)
def test_any_period_is_cut_to_the_run(hanoi, first, length, kind) -> None:
    """A fault that begins before, ends after or misses the run changes what is in it only."""
    layout = load_layout(hanoi)
    before, after = faulty(layout, fault(layout, kind, first, first + length))
    on = np.zeros(STEPS, dtype=bool)
    on[max(0, first) : max(0, first + length)] = True
    assert len(after) == STEPS
    assert np.array_equal(before[~on], after[~on])


def test_run_reports_faults_and_keeps_the_truth(hanoi, layout) -> None:
    """Missing values are null in wide frames and have no row in long ones; true values stay."""
    sensor = layout.ids("pressure")[0]
    outage = SensorFault("outage", f"pressure/{sensor}", step_time(2), step_time(5))
    run = run_scenario(hanoi, layout, start_at=START, duration_s=3600, faults=[outage])
    wide, true = run.wide(), run.wide_true()
    assert wide[f"pressure/{sensor}"].is_null().to_list() == [2 <= k < 5 for k in range(13)]
    assert true[f"pressure/{sensor}"].null_count() == 0
    rows = run.long().filter(element_id=sensor, quantity="pressure")
    assert rows.height == 10
    assert rows["value_si"].is_finite().all()
    assert run.faults == (outage,)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "gremlin"}, "no such kind"),
        ({"column": "pressure/nowhere"}, "no such sensor"),
        ({"end_at": START}, "not after its start"),
        ({"size": 0.0}, "size 0"),
        ({"kind": "outage"}, "has no size"),
        ({"kind": "dropout", "size": 1.5}, "share above 0"),
        ({"kind": "unit_change", "size": -1.0}, "positive"),
        ({"kind": "clock_shift", "size": 10.0}, "less than a step"),
        ({"start_at": START.replace(tzinfo=None)}, "time zone"),
    ],
)
def test_impossible_fault_is_refused(hanoi, layout, changes, words) -> None:
    """The message names kind and sensor."""
    values = {
        "kind": "constant",
        "column": f"pressure/{layout.ids('pressure')[0]}",
        "start_at": START,
        "end_at": step_time(4),
        "size": 1.0,
    } | changes
    with pytest.raises(InputError, match=words) as caught:
        run_scenario(hanoi, layout, start_at=START, duration_s=600, faults=[SensorFault(**values)])
    assert values["kind"] in str(caught.value)
    assert values["column"] in str(caught.value)
