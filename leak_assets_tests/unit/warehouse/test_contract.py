"""Contracts of tables: each check shown to fail by data, and what a failure stops."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, inputs_of, run_step
from leak_assets.pipeline.step import Frames, Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.settings import Settings
from leak_assets.sites.site import network_site
from leak_assets.warehouse.contract import (
    check_frame,
    check_values,
    contract_of,
    contracted_tables,
)
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.towns import LINE_START, table_rows

DAY = date(2019, 1, 7)
SCORES = "detection.window_scores"
SOUND: dict[str, dict[str, object]] = {
    "features.channels_30m": {"mask": 1, "residual": 0.1},
    "features.training_windows": {"leak_type": "abrupt", "leak_flow_m3_per_h": 3.0},
    "simulation.leak_truth": {"leak_type": "abrupt", "leak_diameter_m": 0.1, "volume_m3": 5.0},
    SCORES: {"anomaly_score": 0.4, "state": "scored", "leak_flow_m3_per_h": 2.0},
    "detection.hypotheses": {"kind": "leak", "status": "watched", "probability": 0.5},
    "telemetry.sensor_quality_daily": {"health": 0.9},
    "telemetry.raw_readings": {"value": 31.2, "sequence": 2, "quantity": "pressure"},
    "features.windows": {"quantity": "pressure", "points": 36},
}


@pytest.mark.parametrize("table", contracted_tables())
def test_sound_rows_pass(table: str) -> None:
    """Every packaged contract can be read, is of a table, and lets sound rows pass."""
    contract = contract_of(table)
    assert contract is not None
    assert contract.table == table
    frame = table_rows(table, [SOUND[table]])
    assert check_frame(frame, contract) + check_values(frame, contract) == []


@pytest.mark.parametrize(
    ("table", "wrong", "severity"),
    [
        ("features.channels_30m", {"mask": 2}, "ERROR"),
        ("features.channels_30m", {"residual": None}, "ERROR"),
        ("features.training_windows", {"leak_flow_m3_per_h": -1.0}, "ERROR"),
        ("simulation.leak_truth", {"leak_diameter_m": 100.0}, "ERROR"),
        ("simulation.leak_truth", {"discharge_coeff": float("nan")}, "ERROR"),
        (SCORES, {"anomaly_score": 1.7}, "ERROR"),
        (SCORES, {"leak_flow_m3_per_h": 1e6}, "WARN"),
        ("detection.hypotheses", {"kind": "burst"}, "ERROR"),
        ("detection.hypotheses", {"probability": -0.1}, "ERROR"),
        ("telemetry.sensor_quality_daily", {"health": 1.5}, "WARN"),
        ("telemetry.raw_readings", {"value": float("nan")}, "ERROR"),
        ("telemetry.raw_readings", {"value": 1e20}, "ERROR"),
        ("telemetry.raw_readings", {"quantity": "heat"}, "ERROR"),
        ("features.windows", {"quantity": "level"}, "ERROR"),
    ],
)
def test_wrong_rows_are_violations(table: str, wrong: dict[str, object], severity: str) -> None:
    """One value that a schema cannot know to be wrong is found, with its column and weight."""
    contract = contract_of(table)
    assert contract is not None
    frame = table_rows(table, [SOUND[table] | wrong])
    [found] = check_frame(frame, contract) or check_values(frame, contract)
    assert (found.column, found.severity) == (next(iter(wrong)), severity)


def test_rows_that_share_a_key_are_a_violation() -> None:
    """The key is that of the schema."""
    contract = contract_of(SCORES)
    assert contract is not None
    frame = table_rows(SCORES, [SOUND[SCORES], SOUND[SCORES]])
    assert "window_start" in check_values(frame, contract)[0].column


def scores_step(**wrong: object) -> Step:
    """Return a step that writes a score for each day of the raw log."""

    def compute(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
        for partition in partitions:
            row = {"network": "net1", "window_start": LINE_START, **SOUND[SCORES], **wrong}
            yield partition, {SCORES: table_rows(SCORES, [row])}

    return Step(
        name="scores", partition="day", writes=(SCORES,), reads=(Read("features.windows"),),
        given=(), compute=compute, description="Scores.",
    )  # fmt: skip


def test_wrong_rows_that_would_alarm_are_not_published(tmp_path: Path) -> None:
    """A score of 1.7 ends the day with one line; a warning is told and published."""
    told: list[str] = []
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path), progress=told.append)
    site = network_site("net1", ctx.settings)
    days = day_partitions([DAY], "net1")
    with pytest.raises(InputError, match=r"anomaly_score.*at most 1.*e\.g\. 1\.7") as error:
        run_step(scores_step(anomaly_score=1.7), ctx, site, days)
    assert "\n" not in str(error.value)
    assert ctx.warehouse.read(SCORES, days[0]) is None
    run_step(scores_step(leak_flow_m3_per_h=1e6), ctx, site, days)
    assert ctx.warehouse.read(SCORES, days[0]) is not None
    assert any("leak_flow_m3_per_h" in line for line in told)


def test_the_contract_stands_in_the_lineage(tmp_path: Path) -> None:
    """A write names the contract that it held, so that another one makes the day stale."""
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=tmp_path))
    site = network_site("net1", ctx.settings)
    [day] = day_partitions([DAY], "net1")
    step = scores_step()
    run_step(step, ctx, site, [day])
    contract = contract_of(SCORES)
    record = ctx.warehouse.record(SCORES, day)
    assert contract is not None
    assert record is not None
    held = {(i.kind, i.name, i.version) for i in record.inputs}
    assert ("contract", SCORES, contract.sha256) in held
    changed = contract.model_copy(update={"version": "2.0.0"})
    assert changed.sha256 != contract.sha256
    assert inputs_of(Work(ctx, site, step), day) == list(record.inputs)


def test_contracts_are_of_tables() -> None:
    """A contract says nothing of columns that the schema does not have."""
    assert set(contracted_tables()) <= set(TABLES)
