"""The simulated plant: its grid, its seeds, its anomalies and what their labels say."""

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from leak_assets.errors import InputError
from leak_assets.plant.simulator.anomalies import CLEAR_S, KINDS
from leak_assets.plant.simulator.process import PARAMETERS
from leak_assets.plant.simulator.simulator import (
    LABELS_SCHEMA,
    READINGS_SCHEMA,
    START_AT,
    PlantRun,
    PlantStream,
    messages,
    simulate_plant,
)

DAY_S = 86400
# Limits of the strict plant rules, both sides: spike, and drift for more than 15 s.
SPIKE = {"temperature": (5.0, 40.0), "pressure": (0.5, 4.0), "flow": (10.0, 120.0)}
DRIFT = {"temperature": (10.0, 35.0), "pressure": (1.0, 3.0), "flow": (20.0, 100.0)}
# Upper limits of the other profile: an anomaly on the upper side must break both.
UPPER_SPIKE = {"temperature": 45.0, "pressure": 4.0, "flow": 120.0}
UPPER_DRIFT = {"temperature": 38.0, "pressure": 3.5, "flow": 110.0}


@pytest.fixture(scope="module")
def disturbed() -> PlantRun:
    """Half a day of two sensors with many anomalies."""
    return simulate_plant(DAY_S // 2, seed=5, sensors=2, anomaly_rate_per_h=12)


@pytest.fixture(scope="module")
def undisturbed() -> PlantRun:
    """The same half day without anomalies."""
    return simulate_plant(DAY_S // 2, seed=5, sensors=2, anomaly_rate_per_h=0)


def wide(run: PlantRun) -> pl.DataFrame:
    """One row per time and sensor, parameters as columns."""
    return run.readings.pivot("parameter", index=["ts_utc", "sensor_id"], values="value")


def outside(parameter: str, limits: dict[str, tuple[float, float]]) -> pl.Expr:
    low, high = limits[parameter]
    return (pl.col("value") < low) | (pl.col("value") > high)


def test_a_minute_of_one_sensor_is_30_readings_of_3_parameters() -> None:
    """SIM11: every 2 s, sensor `wtf-pipe-1`, units declared."""
    run = simulate_plant(60)
    assert run.readings.schema == READINGS_SCHEMA
    assert run.labels.schema == LABELS_SCHEMA
    assert run.labels.is_empty()
    times = [START_AT + timedelta(seconds=2 * i) for i in range(30)]
    units = {"temperature": "°C", "pressure": "bar", "flow": "L/min"}
    for parameter in PARAMETERS:
        part = run.readings.filter(parameter=parameter)
        assert part["ts_utc"].to_list() == times
        assert set(part["sensor_id"]) == {"wtf-pipe-1"}
        assert set(part["unit"]) == {units[parameter]}
    assert run.readings.height == 90


@pytest.mark.parametrize("start", [datetime(2024, 1, 20, tzinfo=UTC), START_AT])
def test_without_anomalies_no_rule_is_broken(start: datetime) -> None:
    """SIM11: rate 0 gives no label, no spike, no drift and no gap, in winter and summer."""
    run = simulate_plant(2 * DAY_S, seed=2, start_at=start, sensors=3, anomaly_rate_per_h=0)
    assert run.labels.is_empty()
    assert run.readings.height == 2 * DAY_S // 2 * 3 * 3
    for parameter in PARAMETERS:
        values = run.readings.filter(pl.col("parameter") == parameter)
        assert values.filter(outside(parameter, DRIFT)).is_empty()


def test_pressure_falls_where_flow_rises() -> None:
    """The pump curve binds both; flow follows the day; values are not white noise."""
    pipe = wide(simulate_plant(DAY_S, seed=5, anomaly_rate_per_h=0))
    (related,) = pipe.select(pl.corr("pressure", "flow")).row(0)
    assert related < -0.9
    for parameter in PARAMETERS:
        (kept,) = pipe.select(pl.corr(parameter, pl.col(parameter).shift(30))).row(0)
        assert kept > 0.8
    hourly = pipe.group_by(pl.col("ts_utc").dt.hour()).agg(pl.col("flow").mean()).sort("ts_utc")
    assert hourly["flow"].arg_min() in range(6)
    assert hourly["flow"].max() > 1.2 * hourly["flow"].min()  # type: ignore[operator]


def test_every_kind_comes_and_pipes_differ(disturbed: PlantRun) -> None:
    """All kinds, parameters and sensors have labels; two sensors never read the same."""
    labels = disturbed.labels
    assert set(labels["kind"]) == set(KINDS)
    assert set(labels["parameter"]) == {*PARAMETERS, None}
    assert set(labels["sensor_id"]) == {"wtf-pipe-1", "wtf-pipe-2"}
    per_hour = labels.height / 2 / 12
    assert 12 * 0.6 < per_hour < 12
    one, two = (wide(disturbed).filter(sensor_id=f"wtf-pipe-{i}")["flow"] for i in (1, 2))
    assert one.mean() != two.mean()


def test_readings_differ_from_undisturbed_ones_exactly_in_labels(
    disturbed: PlantRun, undisturbed: PlantRun
) -> None:
    """Start, end and size are exact: within them everything changes, outside nothing."""
    keys = ["ts_utc", "sensor_id", "parameter"]
    both = undisturbed.readings.join(disturbed.readings, on=keys, how="left", suffix="_seen")
    both = both.with_columns(change=(pl.col("value_seen") - pl.col("value")).round(3))
    labeled = pl.lit(value=False)
    for label in disturbed.labels.to_dicts():
        within = (
            (pl.col("sensor_id") == label["sensor_id"])
            & (pl.col("ts_utc") >= label["start_at"])
            & (pl.col("ts_utc") < label["end_at"])
        )
        if label["parameter"] is not None:
            within &= pl.col("parameter") == label["parameter"]
        labeled |= within
        change = both.filter(within)["change"]
        seconds = (label["end_at"] - label["start_at"]).total_seconds()
        match label["kind"]:
            case "dropout":
                assert change.null_count() == len(change) == 3 * seconds / 2
                assert (label["size"], label["unit"]) == (seconds, "s")
            case "spike":
                assert change.to_list() == pytest.approx([label["size"]] * len(change))
                assert len(change) == seconds / 2 <= 3
            case "drift":
                growth = (change * math.copysign(1, label["size"])).diff().drop_nulls()
                assert growth.min() >= -0.0011  # type: ignore[operator]
                second_half = change[len(change) // 2 :].to_list()
                assert second_half == pytest.approx([label["size"]] * len(second_half))
    rest = both.filter(~labeled)
    assert rest.height > 0.9 * both.height
    assert (rest["change"] == 0).all()


def test_anomalies_break_the_rules_they_are_named_after(disturbed: PlantRun) -> None:
    """Spikes pass spike limits at once; drifts stay below them but 15 s beyond drift limits."""
    for label in disturbed.labels.filter(pl.col("kind") != "dropout").to_dicts():
        parameter = label["parameter"]
        part = disturbed.readings.filter(
            pl.col("ts_utc").is_between(label["start_at"], label["end_at"], closed="left"),
            sensor_id=label["sensor_id"],
            parameter=parameter,
        )
        spikes = part.filter(outside(parameter, SPIKE))
        if label["kind"] == "spike":
            assert spikes.height == part.height
            beyond_both = pl.col("value") > UPPER_SPIKE[parameter]
        else:
            assert spikes.is_empty()
            drifting = part.filter(outside(parameter, DRIFT))
            assert drifting.height * 2 > 15
            beyond_both = pl.col("value") > UPPER_DRIFT[parameter]
        if label["size"] > 0:
            assert part.filter(beyond_both).height * 2 > (15 if label["kind"] == "drift" else 0)


def test_dropouts_leave_gaps_that_rules_see(disturbed: PlantRun) -> None:
    """Gaps of more than 10 s are the dropouts, one for one."""
    times = disturbed.readings.select("sensor_id", "ts_utc").unique().sort("sensor_id", "ts_utc")
    gaps = times.with_columns(
        gap=(pl.col("ts_utc") - pl.col("ts_utc").shift()).over("sensor_id").dt.total_seconds()
    ).filter(pl.col("gap") > 2)
    dropouts = disturbed.labels.filter(kind="dropout").sort("sensor_id", "end_at")
    assert (gaps["gap"] > 10).all()
    assert gaps["ts_utc"].to_list() == dropouts["end_at"].to_list()


def test_anomalies_of_a_sensor_keep_their_distance(disturbed: PlantRun) -> None:
    """One is over for every rule before the next begins."""
    ordered = disturbed.labels.sort("sensor_id", "start_at").with_columns(
        clear=(pl.col("start_at") - pl.col("end_at").shift()).over("sensor_id").dt.total_seconds()
    )
    assert ordered["clear"].min() >= CLEAR_S  # type: ignore[operator]


def test_chosen_kinds_only() -> None:
    """A run can have one kind alone."""
    labels = simulate_plant(DAY_S // 4, kinds=("dropout",), anomaly_rate_per_h=30).labels
    assert set(labels["kind"]) == {"dropout"}


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**70),
    cuts=st.lists(st.integers(1, 400), min_size=1, max_size=6),
    step_s=st.sampled_from([1, 2, 7, 30]),
    rate=st.sampled_from([0.0, 5.0, 200.0]),
)
def test_stream_batches_are_the_run(seed: int, cuts: list[int], step_s: int, rate: float) -> None:
    """Whatever the batches, they join to the run; a longer run begins with the shorter one."""
    options = {"sensors": 2, "step_s": step_s, "anomaly_rate_per_h": rate}
    stream = PlantStream(seed, **options)  # type: ignore[arg-type]
    batches = [stream.next(steps) for steps in cuts]
    steps = sum(cuts)
    run = simulate_plant(steps * step_s, seed, **options)  # type: ignore[arg-type]
    assert_frame_equal(pl.concat([b.readings for b in batches]), run.readings)
    order = ["start_at", "sensor_id"]
    assert_frame_equal(pl.concat([b.labels for b in batches]).sort(order), run.labels)
    longer = simulate_plant((steps + 50) * step_s, seed, **options)  # type: ignore[arg-type]
    end_at = START_AT + timedelta(seconds=steps * step_s)
    assert_frame_equal(longer.readings.filter(pl.col("ts_utc") < end_at), run.readings)
    assert_frame_equal(longer.labels.filter(pl.col("start_at") < end_at), run.labels)


def test_seeds_and_sensors() -> None:
    """Another seed gives other values; a second sensor leaves the first as it is."""
    one, other = simulate_plant(600, seed=1), simulate_plant(600, seed=2)
    assert not one.readings["value"].equals(other.readings["value"])
    two = simulate_plant(600, seed=1, sensors=2)
    assert_frame_equal(two.readings.filter(sensor_id="wtf-pipe-1"), one.readings)


def test_batches_go_on_without_end() -> None:
    """A live feed takes one step after the other, in the order of time."""
    feed = PlantStream(1, sensors=2).batches()
    taken = [next(feed).readings for _ in range(5)]
    assert [part.height for part in taken] == [6] * 5
    times = [part["ts_utc"].unique().item() for part in taken]
    assert times == [START_AT + timedelta(seconds=2 * i) for i in range(5)]


def test_messages_speak_as_the_devices_do() -> None:
    """One message per time and sensor; silence makes no message."""
    run = simulate_plant(4, sensors=2)
    sent = messages(run.readings)
    assert [(m["timestamp"], m["sensor_id"]) for m in sent] == [
        ("2025-05-28T00:00:00Z", "wtf-pipe-1"),
        ("2025-05-28T00:00:00Z", "wtf-pipe-2"),
        ("2025-05-28T00:00:02Z", "wtf-pipe-1"),
        ("2025-05-28T00:00:02Z", "wtf-pipe-2"),
    ]
    assert set(sent[0]) == {"timestamp", "sensor_id", *PARAMETERS}
    flows = run.readings.filter(parameter="flow")["value"].to_list()
    assert [m["flow"] for m in sent] == flows
    assert messages(run.readings.clear()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"duration_s": 0}, ["duration_s = 0", "1 or more"]),
        ({"seed": -1}, ["seed = -1"]),
        ({"sensors": 0}, ["sensors = 0"]),
        ({"step_s": 0}, ["step_s = 0"]),
        ({"step_s": 0.5}, ["step_s = 0.5", "whole number"]),
        ({"anomaly_rate_per_h": -1.0}, ["anomaly_rate_per_h = -1.0", "0 for none"]),
        ({"anomaly_rate_per_h": math.nan}, ["anomaly_rate_per_h = nan"]),
        ({"anomaly_rate_per_h": math.inf}, ["anomaly_rate_per_h = inf"]),
        ({"kinds": ("spike", "flood")}, ["flood", "spike, drift, dropout"]),
        ({"kinds": ()}, ["kinds = ()"]),
        ({"start_at": datetime(2025, 1, 1)}, ["start_at", "no time zone"]),  # noqa: DTZ001
        ({"start_at": datetime(9999, 12, 31, tzinfo=UTC)}, ["9999", "2100"]),
        ({"duration_s": 10**9}, ["duration_s = 1000000000", "PlantStream"]),
    ],
)  # fmt: skip
def test_unusable_arguments_are_named(changes: dict[str, object], words: list[str]) -> None:
    """Argument, value, remedy."""
    with pytest.raises(InputError) as caught:
        simulate_plant(**({"duration_s": 60} | changes))  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in words), caught.value


def test_any_step_works() -> None:
    """Steps longer than an anomaly still give exact labels and at least one reading each."""
    run = simulate_plant(DAY_S, seed=1, step_s=300, anomaly_rate_per_h=2)
    assert run.labels.height > 0
    seconds = (run.labels["end_at"] - run.labels["start_at"]).dt.total_seconds()
    assert (seconds >= 300).all()
    assert (seconds % 300 == 0).all()
    missing = int(run.labels.filter(kind="dropout")["size"].sum()) // 300
    assert run.readings.height == 3 * (DAY_S // 300 - missing)
