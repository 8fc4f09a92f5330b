"""Towns and tables that the tests of several rooms and the benchmarks build on.

Builders only, without pytest; fixtures that use them stand in the `conftest.py` of their tests.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from leak_assets.exchange.battledim.names import repair_report
from leak_assets.exchange.battledim.submission import write_repair_report
from leak_assets.exchange.battledim.telemetry import write_scada_csv
from leak_assets.exchange.run_folder import write_run_truth
from leak_assets.features.training_steps import scenario_residuals
from leak_assets.features.windows import training_windows
from leak_assets.hydraulics.engine.run import run_scenario
from leak_assets.hydraulics.epanet.snapshots import Snapshots
from leak_assets.hydraulics.plan.plan import ScenarioPlan
from leak_assets.hydraulics.plan.scenarios import BatchTables, run_batch
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.town import Town
from leak_assets.hydraulics.twin.nominal import demand_shares
from leak_assets.sites import Network, SensorLayout, layout_from_headers
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.schemas import TABLES
from leak_assets.warehouse.schemas.table import UTC_US


def shared_folder() -> Path:
    """Return the folder of shared data: the environment's, or beside the repository."""
    given = os.environ.get("LEAK_ASSETS_SHARED")
    return Path(given) if given else Path(__file__).resolve().parents[1].parent / "shared"


# Ten days of a town like Hanoi: one leak bursts and is repaired, the other grows and stays.
FIRST_DAY = datetime(2019, 3, 4, tzinfo=UTC)
DAYS = 10
TOWN_SEED = 1_000_011
TOWN_LEAKS = (
    Leak(
        "10",
        datetime(2019, 3, 8, 12, 5, tzinfo=UTC),
        0.279416,
        end_at=datetime(2019, 3, 10, 4, 5, tzinfo=UTC),
    ),
    Leak(
        "14",
        datetime(2019, 3, 11, 5, 5, tzinfo=UTC),
        0.300596,
        "incipient",
        peak_at=datetime(2019, 3, 11, 23, 5, tzinfo=UTC),
    ),
)


def write_town_files(site: NetworkSite, folder: Path) -> None:
    """Write ten days of a town like Hanoi with two leaks: `landing/hanoi/*.csv` and `truth/`."""
    run = run_scenario(
        site.network,
        site.layout,
        start_at=FIRST_DAY,
        duration_s=DAYS * 86400 - 300,
        town=Town.draw(site.network, TOWN_SEED),
        leaks=TOWN_LEAKS,
        seed=TOWN_SEED,
    )
    write_scada_csv(run.wide(), site.layout, folder / "landing" / site.name)
    write_run_truth(site.network, run, folder / "truth")


def batch_residuals(
    site: NetworkSite, batch: str, plan: ScenarioPlan
) -> tuple[pl.DataFrame, BatchTables]:
    """Return the residuals of a batch's runs, and its tables."""
    tables = run_batch(site.network, site.layout, batch, plan)
    return scenario_residuals(site, tables.scenarios, tables.telemetry), tables


def batch_windows(
    site: NetworkSite, batch: str, plan: ScenarioPlan
) -> tuple[pl.DataFrame, BatchTables]:
    """Return `features.training_windows` of a batch, and its tables."""
    residuals, tables = batch_residuals(site, batch, plan)
    return training_windows(residuals, tables.leak_truth), tables


# December and January of a town like Hanoi in half-hour steps, as a BattLeDIM export: far faster
# than a simulated town, with leaks of a flow that is given.
EXPORT_FIRST = datetime(2018, 12, 1, tzinfo=UTC)
EXPORT_DAYS = 62
EXPORT_SENSORS = ("4", "9", "13", "16", "19", "22", "26", "30")
_STEPS_PER_DAY = 48

ExportLeak = tuple[str, float, float, float]
"""Pipe, first day, end day, m3/h."""


def usual_load(_day: int, half_hour: int) -> float:
    """Return the demand of a half-hour in parts of the model's."""
    return float(0.7 + 0.25 * np.sin(2 * np.pi * half_hour / _STEPS_PER_DAY))


def write_hanoi_export(
    hanoi: Network,
    folder: Path,
    leaks: Sequence[ExportLeak] = (),
    *,
    days: int = EXPORT_DAYS,
    seed: int = 5,
    load: Callable[[int, int], float] = usual_load,
) -> Path:
    """Write December 2018 and January 2019 of a town like Hanoi; return the folder.

    The first days are the same whatever their number, leaks and demand later on.
    """
    rng = np.random.default_rng(seed)
    model = hanoi.water_network()
    for _, pipe in model.pipes():
        pipe.roughness *= rng.uniform(0.95, 1.05)
    demands = demand_shares(model, model.junction_name_list)
    base = {k: v for group in demands.values() for k, v in group.items()}
    factor = {name: rng.uniform(0.95, 1.05) for name in base}
    groups = [{name: share * factor[name]} for name, share in base.items()]
    groups += [_ends(model, pipe) for pipe, *_ in leaks]
    rows = np.zeros((EXPORT_DAYS * _STEPS_PER_DAY, len(EXPORT_SENSORS) + 1))
    with Snapshots(model, groups, pressures=EXPORT_SENSORS, flows=("1",)) as solver:
        for step in range(len(rows)):
            day, hour = divmod(step, _STEPS_PER_DAY)
            noise = load(day, hour) * (1 + 0.02 * rng.standard_normal(len(base)))
            at = step / _STEPS_PER_DAY
            size = [q / 3600 if first <= at < end else 0.0 for _, first, end, q in leaks]
            solver.set_multipliers([*noise, *size])
            assert solver.solve()
            rows[step] = [*solver.pressures(), *solver.flows()]
    rows[:, :-1] += 0.01 * rng.standard_normal(rows[:, :-1].shape) + rng.uniform(-0.1, 0.1, 8)
    layout = layout_from_headers(hanoi, {"pressure": EXPORT_SENSORS, "flow": ("1",)})
    write_scada_csv(_wide(rows[: days * _STEPS_PER_DAY], layout, rng), layout, folder)
    write_repair_report(folder / repair_report("2018"), ())
    return folder


def _wide(rows: np.ndarray, layout: SensorLayout, rng: np.random.Generator) -> pl.DataFrame:
    """Return half-hour rows as the 5-minute values that sensors deliver, with their jitter."""
    fine = np.repeat(rows, 6, axis=0)
    fine[:, :-1] += 0.005 * rng.standard_normal(fine[:, :-1].shape)
    times = [EXPORT_FIRST + timedelta(minutes=5 * i) for i in range(len(fine))]
    return pl.DataFrame(
        {"ts_utc": times} | {column: fine[:, i].copy() for i, column in enumerate(layout.columns())}
    )


def _ends(model: Any, pipe: str) -> dict[str, float]:
    link = model.get_link(pipe)
    return {link.start_node_name: 0.5, link.end_node_name: 0.5}


LINE_START = datetime(2019, 1, 7, tzinfo=UTC)
LINE_NETWORK = "net1"


def table_rows(table: str, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return rows of a table; what is not given is null, or a blank where the table allows none.

    Names that the table does not have are passed over, so that a test names only what it is about.
    """
    schema = TABLES[table].polars_schema
    blank = {
        column.name: None if column.nullable else _BLANK.get(schema[column.name])
        for column in TABLES[table].columns
    }
    known = [blank | {k: v for k, v in row.items() if k in blank} for row in rows]
    return pl.DataFrame(known, schema=schema)


_BLANK: dict[Any, Any] = {
    pl.String(): "",
    pl.Int8(): 0,
    pl.Int64(): 0,
    pl.Float64(): 0.0,
    pl.Boolean(): False,
    pl.Date(): LINE_START.date(),
    UTC_US: LINE_START,
}


def line_town() -> dict[str, pl.DataFrame]:
    """Return two days of a line of four pipes, one closed and one open incident: tables by name.

    `candidates` are those of the open incident, `all_candidates` those of both.
    """
    hour, day = timedelta(hours=1), timedelta(days=1)
    found = (
        ("net1-1", "closed", LINE_START + 5 * hour, LINE_START + 15 * hour),
        ("net1-2", "open", LINE_START + 33 * hour, None),
    )
    events = [
        {
            "network": LINE_NETWORK,
            "incident_id": name,
            "revision": revision,
            "event_at": start + revision * hour,
            "event": "opened" if revision == 1 else "updated",
            "status": "open" if revision == 1 else status,
            "severity": "medium",
            "leak_start": start,
            "detected_at": start + hour,
            "last_seen_at": start + revision * hour,
            "leak_end": end if revision > 1 else None,
            "confidence": 0.9,
            "estimated_flow_m3_per_h": 12.0,
            "volume_lost_m3": 60.0 * revision,
            "value_eur": 48.0 * revision,
            "top_link_id": "p2",
            "run_id": "run-1",
        }
        for name, status, start, end in found
        for revision in (1, 2)
    ]
    candidates = table_rows(
        "incidents.candidates",
        [
            {
                "network": LINE_NETWORK,
                "incident_id": name,
                "revision": revision,
                "rank": rank,
                "link_id": pipe,
                "probability": share,
                "length_m": 100.0,
            }
            for name, *_ in found
            for revision in (1, 2)
            for rank, (pipe, share) in enumerate((("p2", 0.6), ("p3", 0.3)), start=1)
        ],
    )
    evidence = table_rows(
        "incidents.evidence",
        [
            {
                "network": LINE_NETWORK,
                "incident_id": name,
                "revision": revision,
                "rank": rank,
                "sensor_id": sensor,
                "quantity": "flow" if sensor == "inflow" else "pressure",
                "contribution": 5.0 - rank,
                "residual_si": -0.1 * rank,
            }
            for name, *_ in found
            for revision in (1, 2)
            for rank, sensor in enumerate(("inflow", "n1", "n2", "n3"), start=1)
        ],
    )
    return {
        "scores": line_scores(2 * day, [(5.0, 15.0), (33.0, 48.0)]),
        "residuals": line_residuals(48, leak=(5.0, 15.0)),
        "events": table_rows("incidents.incident_events", events),
        "all_candidates": candidates,
        "candidates": candidates.filter(incident_id="net1-2", revision=2),
        "evidence": evidence,
        "nodes": table_rows(
            "network.nodes",
            [
                {
                    "network": LINE_NETWORK,
                    "node_id": node,
                    "node_type": "junction" if i else "reservoir",
                    "x": 100.0 * i,
                    "y": 50.0 * (i % 2),
                }
                for i, node in enumerate("abcde")
            ],
        ),
        "links": table_rows(
            "network.links",
            [
                {
                    "network": LINE_NETWORK,
                    "link_id": f"p{i + 1}",
                    "link_type": "pipe",
                    "start_node": "abcde"[i],
                    "end_node": "abcde"[i + 1],
                    "length_m": 100.0,
                }
                for i in range(4)
            ],
        ),
        "sensors": table_rows(
            "network.sensors",
            [
                {
                    "network": LINE_NETWORK,
                    "sensor_id": f"n{i}",
                    "quantity": "pressure",
                    "element_type": "node",
                    "unit": "m",
                    "x": 100.0 * i,
                    "y": 50.0 * (i % 2),
                }
                for i in (1, 2, 3)
            ],
        ),
    }


def line_scores(length: timedelta, alarmed_h: Sequence[tuple[float, float]]) -> pl.DataFrame:
    """Return windows of three hours every half hour, alarmed between given hours."""
    rows = []
    for number in range(int(length / timedelta(minutes=30))):
        end = LINE_START + number * timedelta(minutes=30)
        is_alarm = any(first <= number / 2 < last for first, last in alarmed_h)
        rows.append(
            {
                "network": LINE_NETWORK,
                "window_start": end - timedelta(minutes=175),
                "window_end": end,
                "anomaly_score": 0.9 if is_alarm else 0.1,
                "threshold": 0.5,
                "is_alarm": is_alarm,
                "state": "scored",
                "leak_flow_m3_per_h": 12.0,
            }
        )
    return table_rows("detection.window_scores", rows)


def line_residuals(hours: float, leak: tuple[float, float] | None = None) -> pl.DataFrame:
    """Return residuals of the inflow and three pressures, every five minutes, with noise."""
    rng = np.random.default_rng(0)
    count = int(hours * 12)
    hour = np.arange(count) / 12
    leaking = np.zeros(count) if leak is None else (hour >= leak[0]) & (hour < leak[1])
    frames = []
    for sensor, quantity, shift_si, std_si in (
        ("inflow", "flow", 12.0 / 3600, 1e-3),
        ("n1", "pressure", -0.8, 0.2),
        ("n2", "pressure", -0.4, 0.2),
        ("n3", "pressure", 0.0, 0.2),
    ):
        residual = leaking * shift_si + 0.5 * std_si * rng.standard_normal(count)
        frames.append(
            pl.DataFrame(
                {
                    "network": LINE_NETWORK,
                    "sensor_id": sensor,
                    "quantity": quantity,
                    "ts_utc": [LINE_START + i * timedelta(minutes=5) for i in range(count)],
                    "observed_si": 50.0 + residual,
                    "expected_si": 50.0,
                    "residual_si": residual,
                    "residual_z": residual / std_si,
                    "mask": 1,
                },
                schema=TABLES["features.residuals"].polars_schema,
            )
        )
    return pl.concat(frames)
