"""Scored windows, candidate lists and residuals told as strings: one character for a window."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from leak_assets.warehouse.schemas.detection import WINDOW_CANDIDATES, WINDOW_SCORES
from leak_assets.warehouse.schemas.features import RESIDUALS
from leak_assets_tests.line import write_line_models

NETWORK = "net1"
FIRST_END = datetime(2019, 1, 7, 0, 25, tzinfo=UTC)
STRIDE = timedelta(minutes=30)
WINDOW = timedelta(minutes=175)
STEP = timedelta(minutes=5)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small detector and pinpointer of a line of pipes, exported."""
    return write_line_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def window_scores() -> Callable[..., pl.DataFrame]:
    """Windows from a string: `x` alarmed, `.` quiet, `?` insufficient data, ` ` no row."""

    def build(marks: str, *, flow_m3_per_h: float | list[float] = 12.0) -> pl.DataFrame:
        flows = flow_m3_per_h if isinstance(flow_m3_per_h, list) else [flow_m3_per_h] * len(marks)
        ends = [FIRST_END + i * STRIDE for i in range(len(marks))]
        rows = [
            {
                "network": NETWORK,
                "method": "windows",
                "method_version": "1.0.0-abc",
                "window_start": end - WINDOW,
                "window_end": end,
                "anomaly_score": {"x": 0.9, ".": 0.1, "?": None}[mark],
                "threshold": 0.5,
                "is_alarm": mark == "x",
                "state": "insufficient_data" if mark == "?" else "scored",
                "channels_used": 3,
                "channels": 3,
                "leak_flow_m3_per_h": None if mark == "?" else flow,
            }
            for end, mark, flow in zip(ends, marks, flows, strict=True)
            if mark != " "
        ]
        return pl.DataFrame(rows, schema=WINDOW_SCORES.polars_schema)

    return build


@pytest.fixture
def window_candidates() -> Callable[..., pl.DataFrame]:
    """Candidate lists of the alarmed windows, best pipe first, 0.6 and 0.3 each."""

    def build(scores: pl.DataFrame, best: Sequence[str] = ("p2", "p3")) -> pl.DataFrame:
        alarmed = scores.filter(pl.col("is_alarm"))
        frames = [
            alarmed.select(
                "network",
                "method",
                pl.lit("1.0.0-def").alias("method_version"),
                "window_start",
                "window_end",
                pl.lit(rank, pl.Int64).alias("rank"),
                pl.lit(pipe).alias("link_id"),
                pl.lit(probability).alias("probability"),
            )
            for rank, (pipe, probability) in enumerate(zip(best, (0.6, 0.3), strict=True), start=1)
        ]
        return pl.concat(frames).cast(dict(WINDOW_CANDIDATES.polars_schema))

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
        start = FIRST_END - WINDOW
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
