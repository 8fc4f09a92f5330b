"""Windows as the models see them: value and mask channels over time, labels beside them.

One code builds them for training and for operation, so that streaming and batch scores agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from leak_assets.features.grid import WindowSpec, window_grid
from leak_assets.features.labels import label_windows


@dataclass(frozen=True)
class WindowSet:
    """Windows of several runs, kept as overlapping views of the runs.

    A window overlaps the next by five sixths; gathering inputs when they are needed holds a
    sixth of the memory that materialized windows would.

    Attributes
    ----------
    channels
        `<quantity>/<sensor_id>` in input order.
    runs
        float32 [runs, 2 * channels, steps]: residual z (0 where masked), then mask (1 usable).
    run, first
        int [n]: run and first step of each window.
    index
        One row per window: scenario_id, batch, window_start, window_end and, for training,
        is_leak, link_id, leak_type, leak_flow_m3_per_h.
    """

    spec: WindowSpec
    channels: tuple[str, ...]
    runs: NDArray[np.float32]
    run: NDArray[np.int64]
    first: NDArray[np.int64]
    index: pl.DataFrame

    def __len__(self) -> int:
        return self.run.size

    def inputs(self, rows: NDArray[np.integer] | slice = slice(None)) -> NDArray[np.float32]:
        """Return model inputs of some windows, float32 [n, 2 * channels, points]."""
        view = sliding_window_view(self.runs, self.spec.points, axis=2)
        return np.ascontiguousarray(view[self.run[rows], :, self.first[rows]])

    def select(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Self:
        """Return the windows of the given rows (indices or a mask); runs are shared."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return type(self)(
            self.spec,
            self.channels,
            self.runs,
            self.run[rows],
            self.first[rows],
            self.index[rows],
        )

    @property
    def is_leak(self) -> NDArray[np.bool_]:
        """Label of each window."""
        return self.index["is_leak"].to_numpy()

    @property
    def is_partial(self) -> NDArray[np.bool_]:
        """Windows with leak flow in too few steps for the label."""
        flow = self.index["leak_flow_m3_per_h"].to_numpy()
        return (flow > 0) & ~self.is_leak


def operation_set(
    residuals: pl.DataFrame,
    spec: WindowSpec,
    channels: tuple[str, ...],
    *,
    day: date | None = None,
) -> WindowSet:
    """Return the windows of a network in operation.

    Parameters
    ----------
    residuals
        Rows of `features.residuals` of one network, the day before as context.
    channels
        Channels of the model; what the frame lacks is masked.
    day
        Keep windows whose last step falls in this UTC day.
    """
    return _windows(residuals, spec, channels, group=None, day=day)


def training_set(
    batches: Iterable[pl.DataFrame],
    leak_truth: pl.DataFrame,
    spec: WindowSpec,
    *,
    channels: tuple[str, ...] | None = None,
    min_active_share: float = 0.5,
) -> WindowSet:
    """Return the labelled windows of scenario batches.

    Parameters
    ----------
    batches
        Rows of `features.training_residuals`, one frame per batch; they are read one by one.
    leak_truth
        Rows of `simulation.leak_truth` of all batches.
    channels
        Channels and their order; default: those of the first batch.
    """
    parts = []
    for batch in batches:
        part = _windows(batch, spec, channels, group="scenario_id", day=None)
        channels = part.channels
        names = batch.select("scenario_id", "batch").unique()
        index = part.index.join(names, on="scenario_id", how="left", maintain_order="left")
        labelled = label_windows(index, leak_truth, spec=spec, min_active_share=min_active_share)
        parts.append(WindowSet(spec, channels, part.runs, part.run, part.first, labelled))
    return concatenate(parts)


def concatenate(parts: Sequence[WindowSet]) -> WindowSet:
    """Return the windows of several sets with the same channels, in order.

    Raises
    ------
    ValueError
        If there is no set, or the channels differ.
    """
    if not parts or len({part.channels for part in parts}) != 1:
        message = f"need one or more window sets with the same channels, got {len(parts)}"
        raise ValueError(message)
    steps = max(part.runs.shape[2] for part in parts)
    offsets = np.cumsum([0, *(part.runs.shape[0] for part in parts[:-1])])
    return WindowSet(
        parts[0].spec,
        parts[0].channels,
        np.concatenate(
            [np.pad(part.runs, ((0, 0), (0, 0), (0, steps - part.runs.shape[2]))) for part in parts]
        ),
        np.concatenate([part.run + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.first for part in parts]),
        pl.concat([part.index for part in parts]),
    )


def _windows(
    residuals: pl.DataFrame,
    spec: WindowSpec,
    channels: tuple[str, ...] | None,
    *,
    group: str | None,
    day: date | None,
) -> WindowSet:
    grid = window_grid(residuals, spec, group=group, channels=channels, day=day)
    usable = np.isfinite(grid.values)
    runs = np.concatenate(
        [np.where(usable, grid.values, 0.0).astype(np.float32), usable.astype(np.float32)], axis=1
    )
    names = np.array(grid.groups, dtype=object)
    index = pl.DataFrame(
        {
            "scenario_id": pl.Series(names[grid.group], dtype=pl.String),
            "window_start": grid.start,
            "window_end": grid.end,
        }
    ).with_columns(pl.col("window_start", "window_end").dt.replace_time_zone("UTC"))
    first = grid.place * spec.stride_steps
    return WindowSet(spec, grid.channels, runs, grid.group, first, index)
