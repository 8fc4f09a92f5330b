"""The scenario plan and the tables of a batch."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.hydraulics.plan.events import EventSampler
from leak_assets.hydraulics.plan.plan import ScenarioPlan, plan_batch, plan_town
from leak_assets.hydraulics.plan.scenarios import run_batch
from leak_assets.hydraulics.towns import events, sensor_faults
from leak_assets.sites import load_layout
from leak_assets.warehouse.schemas.simulation import (
    EVENT_TRUTH,
    LEAK_TRUTH,
    SCENARIOS,
    SENSOR_FAULT_LABELS,
    TELEMETRY,
)

SMALL = ScenarioPlan(
    batches=3,
    scenarios_per_batch=6,
    reference_days=2,
    leak_share=0.6,
    incipient_share=0.5,
    smallest_leak_mm=40,
    largest_leak_mm=90,
    seed=5,
)


@pytest.fixture(scope="module")
def batch(hanoi):
    """Return the frames of batch b000 of Hanoi."""
    return run_batch(hanoi, load_layout(hanoi), "b000", SMALL)


def test_frames_have_the_tables_columns(batch) -> None:
    """Columns and types are exactly those of the warehouse, without nulls or doubled keys."""
    for table in (SCENARIOS, TELEMETRY, LEAK_TRUTH, EVENT_TRUTH, SENSOR_FAULT_LABELS):
        frame = getattr(batch, table.name)
        assert frame.schema == table.polars_schema
        assert not any(frame.null_count().row(0))
        assert not frame.select(table.key).is_duplicated().any()


def test_first_scenario_is_the_leak_free_reference(batch) -> None:
    """Scenario 0 runs without leak over the reference days; the others last a day."""
    scenarios = batch.scenarios.sort("scenario_id")
    assert scenarios["is_reference"].to_list() == [True] + [False] * 5
    assert scenarios["leaks"][0] == 0
    assert scenarios["duration_s"].to_list() == [2 * 86400] + [86400] * 5
    assert scenarios["leaks"].sum() == 3
    assert scenarios["town"].n_unique() == scenarios["town_seed"].n_unique() == 1
    assert scenarios["seed"].n_unique() == 6


def test_one_scenario_of_the_first_batch_has_everything(batch, hanoi) -> None:
    """One scenario records all nodes and links, the others only what is instrumented."""
    scenarios, telemetry = batch.scenarios, batch.telemetry
    everything = scenarios.filter(recorded="all")["scenario_id"].to_list()
    assert len(everything) == 1
    full = telemetry.filter(scenario_id=everything[0])
    nodes = full.filter(quantity="pressure")["element_id"].n_unique()
    assert nodes == hanoi.water_network().num_nodes
    rest = telemetry.filter(pl.col("scenario_id") != everything[0], quantity="pressure")
    assert set(rest["element_id"]) == set(load_layout(hanoi).ids("pressure"))


def test_every_series_is_complete(batch) -> None:
    """289 rows a day in every series of every scenario."""
    lengths = (
        batch.telemetry.group_by("scenario_id", "element_id", "quantity")
        .len()
        .join(batch.scenarios.select("scenario_id", "duration_s"), on="scenario_id")
    )
    assert (lengths["len"] == lengths["duration_s"] // 300 + 1).all()


def test_leaks_flow_from_their_start_only(batch) -> None:
    """Every leak flows, from the step of its start; windows without leak come before it."""
    scenarios, telemetry, truth = batch.scenarios, batch.telemetry, batch.leak_truth
    assert truth["leak_type"].value_counts().height == 2
    for leak in truth.iter_rows(named=True):
        start = scenarios.row(
            by_predicate=pl.col("scenario_id") == leak["scenario_id"], named=True
        )["start_at"]
        assert (leak["leak_start"] - start).total_seconds() >= 3.5 * 3600
        flow = telemetry.filter(scenario_id=leak["scenario_id"], quantity="leak_flow").sort(
            "ts_utc"
        )
        before = flow.filter(pl.col("ts_utc") < leak["leak_start"])["value_si"]
        after = flow.filter(pl.col("ts_utc") >= leak["leak_start"])["value_si"]
        assert before.max() == 0
        assert after.min() > 0
        assert after.max() * 3600 == pytest.approx(leak["max_flow_m3_per_h"])
        assert flow["value_si"][:-1].sum() * 300 == pytest.approx(leak["volume_m3"])
        assert set(flow["element_id"]) == {leak["link_id"]}


def test_batches_do_not_depend_on_each_other(hanoi) -> None:
    """A batch is the same whether others are planned or not, and each has its own town."""
    layout = load_layout(hanoi)
    assert plan_batch(hanoi, layout, "b001", SMALL) == plan_batch(
        hanoi, layout, "b001", replace(SMALL, batches=9)
    )
    assert plan_town(hanoi, "b000", SMALL) != plan_town(hanoi, "b001", SMALL)


def test_same_seed_same_hash_other_seed_other(hanoi) -> None:
    """The values of a batch, rounded to 1e-6, follow from the seed of the plan."""
    layout = load_layout(hanoi)

    def digest(plan: ScenarioPlan) -> str:
        values = np.round(
            run_batch(hanoi, layout, "b001", plan).telemetry["value_si"].to_numpy(), 6
        )
        return hashlib.sha256((values + 0.0).tobytes()).hexdigest()

    small = replace(SMALL, scenarios_per_batch=3, reference_days=1)
    assert digest(small) == digest(small)
    assert digest(small) != digest(replace(small, seed=6))


def test_plan_is_spread_over_pipes_sizes_and_days(ltown) -> None:
    """Over all batches leaks are at many pipes, of all sizes, on all weekdays."""
    plan = ScenarioPlan(
        batches=6,
        scenarios_per_batch=31,
        leak_share=1.0,
        smallest_leak_mm=8,
        largest_leak_mm=25,
    )
    scenarios = [
        s
        for name in plan.batch_names()
        for s in plan_batch(ltown, load_layout(ltown), name, plan)[1:]
    ]
    leaks = [leak for s in scenarios for leak in s.leaks]
    assert len(leaks) == 180
    assert len({leak.link_id for leak in leaks}) > 150
    order = list(ltown.water_network().pipe_name_list)
    eighths = np.bincount([order.index(str(k.link_id)) * 8 // len(order) for k in leaks])
    assert eighths.min() >= 15
    sizes = np.log([k.diameter_m * 1000 for k in leaks])
    assert np.histogram(sizes, bins=5, range=(np.log(8), np.log(25)))[0].min() >= 25
    assert {s.start_at.weekday() for s in scenarios} == set(range(7))


@pytest.fixture(scope="module")
def eventful(ltown):
    """Return a batch of L-Town in which every leak-free scenario has an event, each a fault."""
    plan = ScenarioPlan(
        batches=2,
        scenarios_per_batch=13,
        reference_days=1,
        leak_share=0.25,
        event_share=1.0,
        fault_share=1.0,
        record_all=False,
    )
    return run_batch(ltown, load_layout(ltown), "b001", plan)


def test_every_kind_of_event_has_a_scenario_without_leak(eventful) -> None:
    """Kinds come in turn; their rows say that it is no leak, when, and how much water."""
    truth = eventful.event_truth
    assert truth.height == 9
    assert set(truth["kind"]) == set(events.KINDS), "L-Town can have all of them"
    assert not truth["is_leak"].any()
    assert not set(truth["scenario_id"]) & set(eventful.leak_truth["scenario_id"])
    assert (truth["event_start"] < truth["event_end"]).all()
    drawn = truth["kind"].is_in(["fire_flow", "flushing", "large_customer"])
    assert (truth.filter(drawn)["volume_m3"] > 1).all()
    assert (truth.filter(~drawn)["volume_m3"] == 0).all()
    reference = eventful.scenarios.filter("is_reference")["scenario_id"][0]
    assert reference not in set(truth["scenario_id"])


def test_every_kind_of_fault_is_labelled_to_the_step(eventful, ltown) -> None:
    """Twelve scenarios, twelve kinds; what is missing lies within the label exactly."""
    labels = eventful.sensor_fault_labels
    assert set(labels["kind"]) == set(sensor_faults.KINDS)
    outage = labels.row(by_predicate=pl.col("kind") == "outage", named=True)
    steps = eventful.scenarios.filter(scenario_id=outage["scenario_id"]).row(0, named=True)
    there = set(
        eventful.telemetry.filter(
            scenario_id=outage["scenario_id"],
            element_id=outage["sensor_id"],
            quantity=outage["quantity"],
        )["ts_utc"]
    )
    step = timedelta(seconds=steps["step_s"])
    every = [steps["start_at"] + k * step for k in range(steps["duration_s"] // 300 + 1)]
    missing = [t for t in every if t not in there]
    assert missing[0] == outage["fault_start"]
    assert missing[-1] + step == outage["fault_end"]
    assert len(missing) == (outage["fault_end"] - outage["fault_start"]) / step


def test_events_and_faults_change_no_leak(hanoi) -> None:
    """Leaks, days and seeds of a plan are the same with and without them."""
    layout = load_layout(hanoi)
    bare = plan_batch(hanoi, layout, "b001", SMALL)
    full = plan_batch(hanoi, layout, "b001", replace(SMALL, event_share=1.0, fault_share=1.0))
    assert bare == [replace(s, events=(), faults=()) for s in full]
    assert sum(bool(s.events) for s in full) == 2
    assert sum(bool(s.faults) for s in full) == 5


def test_network_without_pumps_and_valves_has_the_other_kinds(hanoi) -> None:
    """What a network cannot have is left out, and the kinds that it can have are all drawn."""
    town = plan_town(hanoi, "b000", SMALL)
    kinds = set(EventSampler(hanoi, load_layout(hanoi), town).kinds)
    assert not kinds & {"pump_trip", "tank_fill", "prv_set_point"}
    assert {"fire_flow", "flushing", "large_customer", "boundary_valve", "meter_swap"} <= kinds


def test_progress_is_told(hanoi) -> None:
    """After each scenario the caller learns how far the batch is."""
    seen: list[tuple[int, int]] = []
    plan = replace(SMALL, scenarios_per_batch=2, reference_days=1)
    run_batch(hanoi, load_layout(hanoi), "b002", plan, lambda done, of: seen.append((done, of)))
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize("batch", ["b003", "000", "b1", "town"])
def test_unknown_batch_is_refused(hanoi, batch: str) -> None:
    """A batch that is not of the plan is named."""
    with pytest.raises(InputError, match=f"no batch '{batch}'"):
        plan_batch(hanoi, load_layout(hanoi), batch, SMALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"scenarios_per_batch": 0},
        {"leak_share": 1.2},
        {"smallest_leak_mm": 30, "largest_leak_mm": 20},
    ],
)
def test_impossible_plan_is_refused(changes: dict) -> None:
    """A plan that cannot be says which value is wrong."""
    with pytest.raises(InputError, match="plan"):
        ScenarioPlan(**changes)


def test_batch_that_fails_publishes_nothing(tmp_path, monkeypatch) -> None:
    """An error in the last scenario leaves no partition; the repeated run writes all of them."""
    from leak_assets.errors import HydraulicError
    from leak_assets.hydraulics import steps
    from leak_assets.hydraulics.engine.run import TownEngine
    from leak_assets.pipeline.context import StepContext
    from leak_assets.pipeline.runner import run_step

    monkeypatch.setenv("LEAK_ASSETS_HOME", str(tmp_path))
    ctx = StepContext.local()
    site, batches = ctx.network("hanoi"), steps.batch_partitions(["b000"], "hanoi")
    plan = replace(SMALL, batches=1, scenarios_per_batch=3, reference_days=1)
    run, calls = TownEngine.run, []

    def fails_at_last(self, **options):
        calls.append(1)
        if len(calls) == 3:
            raise HydraulicError("EPANET found no balanced solution")
        return run(self, **options)

    with monkeypatch.context() as patch:
        patch.setattr(TownEngine, "run", fails_at_last)
        with pytest.raises(HydraulicError):
            run_step(steps.SCENARIO_STEP, ctx, site, batches, plan=plan)
    for table in steps.TABLES:
        assert ctx.warehouse.partitions(table, network="hanoi") == []
    written = run_step(steps.SCENARIO_STEP, ctx, site, batches, plan=plan)
    assert [item.record.table for item in written] == list(steps.TABLES)
    again = run_step(steps.SCENARIO_STEP, ctx, site, batches, plan=plan)
    assert [i.record.written_at for i in again] == [i.record.written_at for i in written], "kept"
