"""A small town's windows, residuals and incidents for the tests of pictures and pages."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from leak_assets.incidents.policy import TrackerPolicy
from leak_assets.incidents.tracker import track
from leak_assets.warehouse.schemas.detection import WINDOW_SCORES
from leak_assets.warehouse.schemas.features import RESIDUALS
from leak_assets.warehouse.schemas.incidents import INCIDENT_DAYS
from leak_assets.warehouse.schemas.network import NODES, SENSORS
from leak_assets_tests.hypotheses import FIRST_DAY, NETWORK, midnight, pipes_in_a_row, story

STRIDE = timedelta(minutes=30)
WINDOW = timedelta(minutes=175)
STEP = timedelta(minutes=5)


def first_end() -> datetime:
    """End of the first window that ends on the first day."""
    return midnight(0) + timedelta(minutes=25)


@pytest.fixture
def window_scores() -> Callable[..., pl.DataFrame]:
    """Windows from a string: `x` alarmed, `.` quiet, `?` insufficient data, ` ` no row."""

    def build(marks: str, *, flow_m3_per_h: float | list[float] = 12.0) -> pl.DataFrame:
        flows = flow_m3_per_h if isinstance(flow_m3_per_h, list) else [flow_m3_per_h] * len(marks)
        ends = [first_end() + i * STRIDE for i in range(len(marks))]
        rows = [
            {
                "network": NETWORK,
                "window_start": end - WINDOW,
                "window_end": end,
                "anomaly_score": {"x": 0.9, ".": 0.1, "?": None}[mark],
                "threshold": 0.5,
                "is_alarm": mark == "x",
                "state": "insufficient_data" if mark == "?" else "scored",
                "channels_used": 3,
                "channels": 3,
                "leak_flow_m3_per_h": None if mark == "?" else flow,
                "method": "windows",
                "method_version": "1.0.0-abc",
            }
            for end, mark, flow in zip(ends, marks, flows, strict=True)
            if mark != " "
        ]
        return pl.DataFrame(rows, schema=WINDOW_SCORES.polars_schema)

    return build


@pytest.fixture
def residual_rows() -> Callable[..., pl.DataFrame]:
    """Residuals of the inflow and three pressures from three hours before the first day."""

    def build(
        hours: float,
        *,
        leak: tuple[float, float] | None = None,
        flow_m3_per_h: float = 12.0,
        noise_z: float = 0.0,
        seed: int = 0,
    ) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        start = first_end() - WINDOW
        count = int(hours * 12) + 36
        hour = (np.arange(count) - 35) / 12
        leaking = np.zeros(count) if leak is None else (hour >= leak[0]) & (hour < leak[1])
        frames = []
        for sensor, quantity, shift_si, std_si in (
            ("inflow", "flow", flow_m3_per_h / 3600, 1e-3),
            ("n1", "pressure", -0.8, 0.2),
            ("n2", "pressure", -0.4, 0.2),
            ("n3", "pressure", 0.0, 0.2),
        ):
            residual = leaking * shift_si + noise_z * std_si * rng.standard_normal(count)
            frames.append(
                pl.DataFrame(
                    {
                        "network": NETWORK,
                        "sensor_id": sensor,
                        "quantity": quantity,
                        "ts_utc": [start + i * STEP for i in range(count)],
                        "observed_si": 50.0 + residual,
                        "expected_si": 50.0,
                        "residual_si": residual,
                        "residual_z": residual / std_si,
                        "mask": 1,
                    },
                    schema=RESIDUALS.polars_schema,
                )
            )
        return pl.concat(frames)

    return build


@pytest.fixture
def small_town(
    window_scores: Callable[..., pl.DataFrame],
    residual_rows: Callable[..., pl.DataFrame],
) -> dict[str, pl.DataFrame]:
    """Two days of a line of four pipes with one closed and one open incident."""
    detected = story("h1", "re", rows_per_day=2)
    detected += story("h2", "..rr", rows_per_day=2, flow_m3_per_h=[0.0, 0.0, 12.0, 18.0])
    result = track(
        network=NETWORK,
        first_day=FIRST_DAY,
        last_day=FIRST_DAY + timedelta(days=1),
        hypotheses=detected.hypotheses,
        candidates=detected.candidates,
        evidence=detected.evidence,
        previous_days=INCIDENT_DAYS.empty(),
        method="likelihood",
        policy=TrackerPolicy(),
        price_eur_per_m3=0.8,
        contract_sha256="c0ffee",
        run_id="run-1",
        links=pipes_in_a_row(),
    )
    nodes = pl.DataFrame(
        {
            "network": NETWORK,
            "node_id": list("abcde"),
            "node_type": ["reservoir", *["junction"] * 4],
            "elevation_m": 10.0,
            "base_demand_m3_per_s": 0.0,
            "x": [0.0, 100.0, 200.0, 300.0, 400.0],
            "y": [0.0, 50.0, 0.0, 50.0, 0.0],
        },
        schema=NODES.polars_schema,
    )
    sensors = pl.DataFrame(
        {
            "network": NETWORK,
            "sensor_id": ["n1", "n2", "n3"],
            "quantity": "pressure",
            "element_type": "node",
            "unit": "m",
            "x": [100.0, 200.0, 300.0],
            "y": [50.0, 0.0, 50.0],
        },
        schema=SENSORS.polars_schema,
    )
    events = result.incident_events
    newest = events.tail(1).select("incident_id", "revision")
    return {
        "scores": window_scores("." * 10 + "x" * 20 + "." * 36 + "x" * 30),
        "residuals": residual_rows(48, leak=(5.0, 15.0), noise_z=0.5),
        "events": events,
        "all_candidates": result.candidates,
        "candidates": result.candidates.join(newest, on=["incident_id", "revision"], how="semi"),
        "evidence": result.evidence,
        "nodes": nodes,
        "links": pipes_in_a_row(),
        "sensors": sensors,
    }
