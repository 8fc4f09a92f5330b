"""A simulated history as a file that a home delivers: long Parquet, one reading a row."""

from pathlib import Path

import polars as pl

from .home import OCCUPANCY_WORDS
from .simulator.simulator import History


def export_history(history: History, step_s: int, path: Path) -> None:
    """Write flow of the main and of the hot meter, and who is at home when that changes.

    A reading stands for the step that ends with it.
    """
    flow = history.flow.with_columns(ts_utc=pl.col("ts_utc") + pl.duration(seconds=step_s))
    parts = [
        _part(flow, "main", "flow", pl.col("flow_l_per_min"), "L/min"),
        _part(flow, "hot", "flow", pl.col("hot_flow_l_per_min"), "L/min"),
    ]
    who = history.occupancy.with_columns(
        # On the meter's clock: an instant between two readings would come with neither.
        ts_utc=pl.col("start_at").dt.truncate(f"{step_s}s"),
        code=pl.col("occupancy").replace_strict(
            {word: float(code) for code, word in enumerate(OCCUPANCY_WORDS)}
        ),
    ).unique("ts_utc", keep="last", maintain_order=True)
    parts.append(_part(who, "people", "people", pl.col("people").cast(pl.Float64), "1"))
    parts.append(_part(who, "occupancy", "occupancy", pl.col("code"), "1"))
    pl.concat(parts).sort("ts_utc", maintain_order=True).write_parquet(path)


def _part(
    frame: pl.DataFrame, sensor: str, quantity: str, value: pl.Expr, unit: str
) -> pl.DataFrame:
    return frame.select(
        "ts_utc",
        sensor_id=pl.lit(sensor),
        quantity=pl.lit(quantity),
        value=value,
        unit=pl.lit(unit),
    )
