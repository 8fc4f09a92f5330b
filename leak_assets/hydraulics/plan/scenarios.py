"""Runs a planned batch and gives its tables: scenarios, telemetry and the truth about them.

What is run is the plan's matter, how it is run the engine's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from leak_assets.hydraulics.engine.run import TownEngine
from leak_assets.hydraulics.engine.scenario_run import ScenarioRun
from leak_assets.hydraulics.truth import event_truth, fault_labels
from leak_assets.sites.registry import Network
from leak_assets.sites.sensors import SensorLayout
from leak_assets.warehouse.schemas.simulation import (
    EVENT_TRUTH,
    LEAK_TRUTH,
    SCENARIOS,
    SENSOR_FAULT_LABELS,
    TELEMETRY,
)
from leak_assets.warehouse.schemas.table import Table

from .plan import Scenario, ScenarioPlan, plan_batch, plan_town

__all__ = ["BatchTables", "Scenario", "ScenarioPlan", "plan_batch", "plan_town", "run_batch"]


@dataclass(frozen=True)
class BatchTables:
    """Rows of a batch, by table of the schema `simulation`."""

    scenarios: pl.DataFrame
    telemetry: pl.DataFrame
    leak_truth: pl.DataFrame
    event_truth: pl.DataFrame
    sensor_fault_labels: pl.DataFrame


def run_batch(
    network: Network,
    layout: SensorLayout,
    batch: str,
    plan: ScenarioPlan,
    progress: Callable[[int, int], None] | None = None,
) -> BatchTables:
    """Run a batch and return its rows.

    Parameters
    ----------
    progress
        Called after each scenario with the number done and the number planned.

    Raises
    ------
    InputError, HydraulicError
        Of the first scenario that cannot run; nothing is returned of the others.
    """
    town = plan_town(network, batch, plan)
    scenarios = plan_batch(network, layout, batch, plan, town)
    model = network.shared_model()
    town_json = town.to_json()
    rows: list[tuple[Any, ...]] = []
    telemetry: list[pl.DataFrame] = []
    truth: list[tuple[Any, ...]] = []
    event_parts: list[pl.DataFrame] = []
    fault_parts: list[pl.DataFrame] = []
    pipes = [leak.element_id for s in scenarios for leak in s.leaks]
    nodes = [e.element_id for s in scenarios for e in s.events if e.effect == "draw"]
    with TownEngine(network, layout, town, pipes, nodes) as engine:
        for done, scenario in enumerate(scenarios, start=1):
            run = engine.run(
                start_at=scenario.start_at,
                duration_s=scenario.duration_s,
                step_s=scenario.step_s,
                leaks=scenario.leaks,
                events=scenario.events,
                faults=scenario.faults,
                seed=scenario.seed,
                record=scenario.recorded,
                tank_levels=scenario.tank_levels,
            )
            rows.append(scenario_row(scenario, run, town_json))
            telemetry.append(telemetry_rows(scenario, run))
            truth.extend(truth_rows(scenario, run, model))
            event_parts.append(_named(event_truth(run), scenario, EVENT_TRUTH))
            fault_parts.append(_named(fault_labels(run), scenario, SENSOR_FAULT_LABELS))
            if progress is not None:
                progress(done, len(scenarios))
    return BatchTables(
        pl.DataFrame(rows, schema=SCENARIOS.polars_schema, orient="row"),
        pl.concat(telemetry, rechunk=True),
        pl.DataFrame(truth, schema=LEAK_TRUTH.polars_schema, orient="row"),
        pl.concat(event_parts),
        pl.concat(fault_parts),
    )


def scenario_row(scenario: Scenario, run: ScenarioRun, town_json: str) -> tuple[Any, ...]:
    """Return the row of a scenario, columns as in `simulation.scenarios`."""
    return (
        scenario.network,
        scenario.batch,
        scenario.scenario_id,
        scenario.start_at,
        scenario.duration_s,
        scenario.step_s,
        scenario.seed,
        scenario.town_seed,
        town_json,
        scenario.is_reference,
        scenario.recorded,
        len(scenario.leaks),
        run.negative_pressures,
    )


def telemetry_rows(scenario: Scenario, run: ScenarioRun) -> pl.DataFrame:
    """Return the values of a scenario as rows of `simulation.telemetry`."""
    return _named(run.long(), scenario, TELEMETRY)


def _named(rows: pl.DataFrame, scenario: Scenario, table: Table) -> pl.DataFrame:
    """Return rows with the names of their scenario, columns as in the table."""
    return rows.with_columns(
        pl.lit(scenario.network).alias("network"),
        pl.lit(scenario.batch).alias("batch"),
        pl.lit(scenario.scenario_id).alias("scenario_id"),
    ).select(table.polars_schema.names())


def truth_rows(scenario: Scenario, run: ScenarioRun, model: Any) -> list[tuple[Any, ...]]:
    """Return one row per leak, columns as in `simulation.leak_truth`."""
    step = timedelta(seconds=run.step_s)
    after_last = run.start_at + run.steps * step
    volumes = run.leak_volume_m3()
    rows = []
    for i, leak in enumerate(run.leaks):
        first, peak, end = leak.on_grid(run.start_at, run.step_s)
        link = leak.link_id or sorted(model.get_links_for_node(leak.node_id))[0]
        ends = model.get_link(link)
        rows.append(
            (
                scenario.network,
                scenario.batch,
                scenario.scenario_id,
                i,
                link,
                ends.start_node_name,
                ends.end_node_name,
                leak.kind,
                run.start_at + first * step,
                run.start_at + peak * step,
                after_last if end is None else min(after_last, run.start_at + end * step),
                leak.diameter_m,
                leak.area_m2,
                leak.discharge_coeff,
                float(run.leak_flow_m3_per_h()[:, i].max()),
                float(volumes[i]),
            )
        )
    return rows
