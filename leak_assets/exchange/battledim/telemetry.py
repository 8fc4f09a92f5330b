"""Writes telemetry and leak truth in BattLeDIM's formats.

File formats only; `schedules` reads leaks, other formats have modules of their own. All files
appear whole or not at all.
"""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.exchange.schedules import SCHEDULE_COLUMNS
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.sites.sensors import SensorLayout
from leak_assets.system.files import publish

SCADA_FILES = {
    "pressure": "Pressures",
    "flow": "Flows",
    "level": "Levels",
    "demand": "Demands",
}
_MINUTE = "%Y-%m-%d %H:%M"
_SCORING_STEP = timedelta(minutes=5)
_PER_M3 = 100  # leak flow is stored in hundredths of m3/h


def write_scada_csv(
    wide: pl.DataFrame,
    layout: SensorLayout,
    folder: Path,
    *,
    label: str | None = None,
    compress: bool = False,
) -> list[Path]:
    """Write the official CSV set: `;`, decimal comma, 2 decimals, one file per quantity.

    Parameters
    ----------
    wide
        `ts_utc` and one column per sensor, SI.
    layout
        Which columns to write, in which order and unit.
    label
        Beginning of the file names, e.g. `2019` for `2019_SCADA_Pressures.csv`. None writes one
        set for each calendar year.
    compress
        Write `.csv.gz`.

    Returns
    -------
    list of Path
        The files, by year and quantity. Quantities without sensors have none.
    """
    years = wide["ts_utc"].dt.year()
    parts = (
        {str(year): wide.filter(years == year) for year in years.unique().sort().to_list()}
        if label is None
        else {label: wide}
    )
    written = []
    for name, part in parts.items():
        for quantity, stem in SCADA_FILES.items():
            sensors = [s for s in layout.sensors if s.quantity == quantity]
            if not sensors:
                continue
            frame = part.select(
                pl.col("ts_utc").dt.strftime("%Y-%m-%d %H:%M:%S").alias("Timestamp"),
                *((pl.col(s.column) / s.to_si).alias(s.sensor_id) for s in sensors),
            )
            content = frame.write_csv(separator=";", float_precision=2, decimal_comma=True).encode()
            path = folder / f"{name}_SCADA_{stem}.csv{'.gz' if compress else ''}"
            publish(path, gzip.compress(content, mtime=0) if compress else content)
            written.append(path)
    return written


def write_long_parquet(wide: pl.DataFrame, layout: SensorLayout, path: Path) -> None:
    """Write telemetry as one Parquet file for the landing zone.

    Parameters
    ----------
    wide
        `ts_utc` and one column per sensor, SI; null where a value is missing.
    layout
        Which columns to write, and in which unit.
    path
        File with `ts_utc`, `sensor_id`, `quantity`, `value`, `unit`, one reading a row.
    """
    parts = [
        wide.select(
            "ts_utc",
            pl.lit(s.sensor_id).alias("sensor_id"),
            pl.lit(s.quantity).alias("quantity"),
            (pl.col(s.column) / s.to_si).alias("value"),
            pl.lit(s.unit).alias("unit"),
        )
        for s in layout.sensors
    ]
    buffer = io.BytesIO()
    pl.concat(parts).drop_nulls("value").write_parquet(buffer, compression="zstd")
    publish(path, buffer.getvalue())


@dataclass(frozen=True)
class LeakTruth:
    """Leaks of a period and their flow.

    Parameters
    ----------
    start_at, end_at
        First and last step of the evaluation period, UTC.
    inp_path
        Network model that pipe distance is measured on.
    leaks
        Every leak that flows in the period, also those that began before it.
    flow_m3_per_h
        Leak flow at evenly spaced steps from start to end (T × leaks).
    """

    start_at: datetime
    end_at: datetime
    inp_path: Path
    leaks: tuple[Leak, ...]
    flow_m3_per_h: NDArray[np.float64]
    name: str = "simulated"


def write_truth(truth: LeakTruth, folder: Path, meta: dict[str, Any] | None = None) -> None:
    """Write `leaks.csv`, `leak_flows.parquet` and `meta.json`, as the scorer reads them.

    Parameters
    ----------
    meta
        More entries for `meta.json`, e.g. seeds and settings.
    """
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(SCHEDULE_COLUMNS)
    for leak in truth.leaks:
        if leak.link_id is None:
            raise InputError(
                f"leak at {leak.place}: the scorer knows leaks at pipes only",
                remedy="Put the leak at a pipe",
            )
        end = leak.end_at or truth.end_at
        times = (t.strftime(_MINUTE) for t in (leak.start_at, end, leak.peak))
        start_text, end_text, peak_text = times
        diameter = f"{leak.diameter_m:.6g}"
        table.writerow([leak.link_id, start_text, end_text, diameter, leak.kind, peak_text])
    flow = _on_scoring_steps(truth)
    flows = pl.DataFrame(
        {
            f"{i}_{leak.link_id}": np.rint(flow[:, i] * _PER_M3).astype(np.int32)
            for i, leak in enumerate(truth.leaks)
        }
    )
    buffer = io.BytesIO()
    flows.write_parquet(buffer)
    content = {
        "name": truth.name,
        "start": truth.start_at.strftime(_MINUTE),
        "end": truth.end_at.strftime(_MINUTE),
        "network": str(truth.inp_path),
    }
    publish(folder / "leaks.csv", rows.getvalue().encode())
    publish(folder / "leak_flows.parquet", buffer.getvalue())
    publish(folder / "meta.json", json.dumps(content | (meta or {}), indent=1).encode())


def _on_scoring_steps(truth: LeakTruth) -> NDArray[np.float64]:
    """Return the leak flow at the scorer's steps of 5 minutes; a value holds until the next."""
    rows = len(truth.flow_m3_per_h)
    period = truth.end_at - truth.start_at
    steps = period // _SCORING_STEP + 1
    if rows < 2 or rows == steps:
        return truth.flow_m3_per_h
    seconds = np.arange(steps) * _SCORING_STEP.total_seconds()
    index = np.floor(seconds * (rows - 1) / period.total_seconds() + 1e-9).astype(np.int64)
    return truth.flow_m3_per_h[index]
