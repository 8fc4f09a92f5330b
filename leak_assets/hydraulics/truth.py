"""What happened in a run besides leaks, as rows: events and sensor faults, to the step."""

from datetime import timedelta

import polars as pl

from leak_assets.hydraulics.engine.scenario_run import ScenarioRun
from leak_assets.warehouse.schemas.simulation import EVENT_TRUTH, SENSOR_FAULT_LABELS

from .towns import events, sensor_faults

_NAMES = ("network", "batch", "scenario_id")


def event_truth(run: ScenarioRun) -> pl.DataFrame:
    """Return one row per event: columns of `simulation.event_truth` after the scenario's names."""
    step = timedelta(seconds=run.step_s)
    volumes = iter(run.draw_volume_m3().tolist())
    rows = []
    for number, event in enumerate(run.events):
        on = event.steps(run.start_at, run.step_s, run.steps)
        rows.append(
            {
                "event_id": number,
                "kind": event.kind,
                "element_id": event.element_id,
                "is_leak": False,
                "event_start": run.start_at + on.start * step,
                "event_end": run.start_at + on.stop * step,
                "size": event.size,
                "size_unit": events.KINDS[event.kind].size_unit,
                "volume_m3": next(volumes) if event.effect == "draw" else 0.0,
            }
        )
    schema = {n: t for n, t in EVENT_TRUTH.polars_schema.items() if n not in _NAMES}
    return pl.DataFrame(rows, schema=schema)


def fault_labels(run: ScenarioRun) -> pl.DataFrame:
    """Return one row per sensor fault: columns of `simulation.sensor_fault_labels` likewise."""
    step = timedelta(seconds=run.step_s)
    rows = []
    for number, fault in enumerate(run.faults):
        wrong = fault.steps(run.start_at, run.step_s, run.steps)
        rows.append(
            {
                "fault_id": number,
                "sensor_id": fault.sensor_id,
                "quantity": fault.quantity,
                "kind": fault.kind,
                "fault_start": run.start_at + wrong.start * step,
                "fault_end": run.start_at + wrong.stop * step,
                "size": fault.size,
                "size_unit": sensor_faults.KINDS[fault.kind].size_unit,
            }
        )
    schema = {n: t for n, t in SENSOR_FAULT_LABELS.polars_schema.items() if n not in _NAMES}
    return pl.DataFrame(rows, schema=schema)
