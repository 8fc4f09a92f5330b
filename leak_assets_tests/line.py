"""A line of thirty pipes with nine pressure sensors: residuals of leaks, models that know them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from leak_assets.features.windows import STATISTICS, training_windows
from leak_assets.models.config import load_config
from leak_assets.models.dataset import training_set
from leak_assets.models.export import export
from leak_assets.models.pipes import CandidatePipes
from leak_assets.models.training import train
from leak_assets.warehouse.schemas.features import RESIDUALS

DAY = datetime(2019, 3, 4, tzinfo=UTC)
SENSORS, PIPES = 9, 30


def line_residuals(seed: int, *, days: int = 1, pipe: int | None = None) -> pl.DataFrame:
    """Nine pressures and the inflow; a leak of 7.2 m3/h at `pipe` from 06:00 of the last day."""
    rng = np.random.default_rng(seed)
    steps = 288 * days
    z = rng.normal(size=(SENSORS + 1, steps))
    if pipe is not None:
        first = steps - 216
        place = np.linspace(0, PIPES - 1, SENSORS)
        z[:SENSORS, first:] -= 6 * np.exp(-np.abs(place - pipe) / 6)[:, None]
        z[SENSORS, first:] += 6
    names = [("pressure", f"n{i}") for i in range(SENSORS)] + [("flow", "inflow")]
    return pl.concat(
        pl.DataFrame(
            {
                "network": "line",
                "sensor_id": sensor,
                "quantity": quantity,
                "ts_utc": [DAY + timedelta(minutes=5 * k) for k in range(steps)],
                "observed_si": z[i] / 3000,
                "expected_si": 0.0,
                "residual_si": z[i] / 3000,
                "residual_z": z[i],
                "mask": 1,
            },
            schema=RESIDUALS.polars_schema,
        )
        for i, (quantity, sensor) in enumerate(names)
    )


def write_line_models(folder: Path) -> tuple[Path, Path]:
    """Train and export a small detector and pinpointer; return their folders."""
    truth, batches = [], []
    for s in range(36):
        name, pipe = f"line/b000/s{s:03d}", (s * 7) % PIPES if s % 3 else None
        batches.append(
            line_residuals(s, pipe=pipe).with_columns(
                pl.lit(name).alias("scenario_id"), pl.lit("b000").alias("batch")
            )
        )
        if pipe is not None:
            truth.append(
                {
                    "scenario_id": name,
                    "leak_id": 0,
                    "link_id": f"p{pipe:02d}",
                    "leak_type": "abrupt",
                    "leak_start": DAY + timedelta(hours=6),
                    "leak_peak": DAY + timedelta(hours=6),
                    "leak_end": DAY + timedelta(hours=24),
                    "max_flow_m3_per_h": 7.2,
                }
            )
    utc = pl.Datetime("us", "UTC")
    leak_truth = pl.DataFrame(truth).with_columns(
        pl.col("leak_start", "leak_peak", "leak_end").cast(utc)
    )
    windows = training_set([training_windows(pl.concat(batches), leak_truth)], STATISTICS)
    names = [f"p{i:02d}" for i in range(PIPES)]
    links = pl.DataFrame(
        {
            "link_id": names,
            "start_node": [f"n{i}" for i in range(PIPES)],
            "end_node": [f"n{i + 1}" for i in range(PIPES)],
        }
    )
    place = np.arange(PIPES) * 50.0
    pipes = CandidatePipes.build(names, np.abs(place[:, None] - place[None]), links)
    found = []
    for name in ("leak_detector", "leak_pinpointer"):
        config = load_config(name)
        small = config.model_copy(
            update={
                "architecture": config.architecture.model_copy(update={"hidden": 12}),
                "training": config.training.model_copy(update={"epochs": 15, "threads": 1}),
            }
        )
        result = train(
            small,
            windows,
            network="line",
            leak_truth=leak_truth,
            data_versions={},
            contract_sha256="0",
            trained_at=DAY,
            pipes=pipes,
        )
        found.append(export(result, folder).folder)
    return found[0], found[1]
