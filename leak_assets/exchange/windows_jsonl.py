"""Writes labelled windows as JSON lines, one window a line: a training set for other programs.

Where windows lie and how they are labelled is what `grid` and `labels` say; here is only the
format.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from leak_assets.errors import InputError
from leak_assets.features.grid import WindowGrid, WindowSpec, window_grid
from leak_assets.features.labels import label_windows
from leak_assets.hydraulics.engine.scenario_run import ScenarioRun
from leak_assets.system.files import publishing
from leak_assets.warehouse.schemas.simulation import LEAK_TRUTH

_DIGITS = 7  # significant ones, beyond what any sensor resolves
_TRUTH = pl.Schema(
    {
        name: LEAK_TRUTH.polars_schema[name]
        for name in (
            "scenario_id",
            "leak_id",
            "link_id",
            "leak_type",
            "leak_start",
            "leak_peak",
            "leak_end",
            "max_flow_m3_per_h",
        )
    }
)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def write_windows_jsonl(
    path: Path,
    telemetry: pl.DataFrame,
    leak_truth: pl.DataFrame,
    channels: Sequence[str],
    *,
    spec: WindowSpec | None = None,
    min_active_share: float = 0.5,
) -> int:
    """Write the windows of scenarios and return their number.

    Parameters
    ----------
    path
        File to write, e.g. `data/training_data.jsonl`. It appears whole or not at all.
    telemetry
        Rows of `simulation.telemetry` (scenario_id, ts_utc, element_id, quantity, value_si) or
        `scenario_frames` of runs. Missing values have no row.
    leak_truth
        Rows of `simulation.leak_truth` of the same scenarios.
    channels
        `<quantity>/<sensor>` to write, in order: `SensorLayout.columns()`. Nothing else gets
        into a window, above all not the leak flow.
    spec
        Length, stride and step; default 3 h every 30 min on 5-minute data (36 points, stride 6).
    min_active_share
        Share of the window's steps with an open leak from which `is_leak` is true.

    Returns
    -------
    int
        Lines written. A line is an object with `scenario`, `window_start` and `window_end`
        (first and last step, UTC), `step_s`, `values` (channel to one number per step, SI; null
        where missing), `is_leak`, and, null or 0 without a leak, `link`, `leak_type` and
        `leak_flow_m3_per_h`.

    Raises
    ------
    InputError
        A time off the step, or no window fits into the telemetry.
    """
    spec = spec or WindowSpec()
    readings = telemetry.select(
        "scenario_id",
        "ts_utc",
        "quantity",
        pl.col("element_id").alias("sensor_id"),
        "value_si",
        mask=pl.lit(1, pl.Int8),
    )
    grid = window_grid(
        readings, spec, value="value_si", group="scenario_id", channels=tuple(channels)
    )
    if not grid.group.size:
        raise InputError(
            f"no window of {spec.length_s} s lies within the telemetry",
            remedy="Simulate longer, or choose shorter windows",
        )
    keys = _keys(grid)
    labels = label_windows(keys, leak_truth, spec=spec, min_active_share=min_active_share)
    with publishing(path) as draft, draft.open("w", encoding="utf-8") as file:
        for line in _lines(grid, labels):
            file.write(json.dumps(line, allow_nan=False) + "\n")
    return int(grid.group.size)


def scenario_frames(run: ScenarioRun, scenario_id: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return measured telemetry and leak truth of one run, as `write_windows_jsonl` takes them.

    Returns
    -------
    telemetry
        scenario_id, ts_utc, element_id, quantity, value_si; missing values have no row.
    leak_truth
        scenario_id, leak_id, link_id, leak_type, leak_start, leak_peak, leak_end,
        max_flow_m3_per_h. Times are those of the run's steps. A leak at a node has the node's
        name as its link, as the run knows no pipes.
    """
    telemetry = (
        run.wide()
        .unpivot(index="ts_utc", variable_name="channel", value_name="value_si")
        .drop_nulls("value_si")
        .select(
            pl.lit(scenario_id).alias("scenario_id"),
            "ts_utc",
            pl.col("channel").str.splitn("/", 2).struct.field("field_1").alias("element_id"),
            pl.col("channel").str.splitn("/", 2).struct.field("field_0").alias("quantity"),
            "value_si",
        )
    )
    step = timedelta(seconds=run.step_s)
    rows: list[tuple[Any, ...]] = []
    for number, leak in enumerate(run.leaks):
        first, peak, end = leak.on_grid(run.start_at, run.step_s)
        rows.append(
            (
                scenario_id,
                number,
                leak.element_id,
                leak.kind,
                run.start_at + first * step,
                run.start_at + peak * step,
                run.start_at + (run.steps if end is None else end) * step,
                float(run.leak_flow_m3_per_h()[:, number].max()),
            )
        )
    return telemetry, pl.DataFrame(rows, schema=_TRUTH, orient="row")


def _keys(grid: WindowGrid) -> pl.DataFrame:
    names = np.array(grid.groups, dtype=object)
    return pl.DataFrame(
        {
            "scenario_id": pl.Series(names[grid.group], dtype=pl.String),
            "window_start": grid.start,
            "window_end": grid.end,
        }
    ).with_columns(pl.col("window_start", "window_end").dt.replace_time_zone("UTC"))


def _lines(grid: WindowGrid, labels: pl.DataFrame) -> Iterator[dict[str, Any]]:
    windows = grid.windows
    for number, label in enumerate(labels.iter_rows(named=True)):
        values = windows[grid.group[number], :, grid.place[number]]
        yield {
            "scenario": label["scenario_id"],
            "window_start": label["window_start"].strftime(_TIME),
            "window_end": label["window_end"].strftime(_TIME),
            "step_s": grid.spec.step_s,
            "values": {
                channel: [_number(v) for v in row]
                for channel, row in zip(grid.channels, values.tolist(), strict=True)
            },
            "is_leak": label["is_leak"],
            "link": label["link_id"],
            "leak_type": label["leak_type"],
            "leak_flow_m3_per_h": _number(label["leak_flow_m3_per_h"]),
        }


def _number(value: float) -> float | None:
    return None if value != value else float(f"{value:.{_DIGITS}g}")  # noqa: PLR0124 – NaN
