"""Windows as the models see them: statistics of each channel, labels beside them.

One code turns rows of `features.windows` and of `features.training_windows` into arrays, so that
training, evaluation and operation see the same numbers. What the statistics are belongs in
`features`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.warehouse import Warehouse

# What identifies a window, and what is known of one; the latter two only in training.
_KEYS = ("scenario_id", "window_start")
_INDEX = (
    "scenario_id",
    "batch",
    "window_start",
    "window_end",
    "is_leak",
    "link_id",
    "leak_type",
    "leak_flow_m3_per_h",
)


@dataclass(frozen=True)
class WindowSet:
    """Windows of scenario runs or of a network in operation.

    Attributes
    ----------
    channels
        `<quantity>/<sensor_id>` in input order.
    statistics
        Columns of the window features in input order.
    values
        float32 [n, statistics, channels]; NaN where a channel has too few points.
    index
        One row per window: window_start, window_end and, for training, scenario_id, batch,
        is_leak, link_id, leak_type, leak_flow_m3_per_h.
    """

    channels: tuple[str, ...]
    statistics: tuple[str, ...]
    values: NDArray[np.float32]
    index: pl.DataFrame

    def __len__(self) -> int:
        return self.values.shape[0]

    def select(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Self:
        """Return the windows of the given rows (indices or a mask)."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return type(self)(self.channels, self.statistics, self.values[rows], self.index[rows])

    def of(self, statistics: Sequence[str], channels: tuple[str, ...] | None = None) -> Self:
        """Return the same windows with some statistics and channels, in their order.

        Parameters
        ----------
        channels
            Those that the windows lack are missing. Default: the same ones.

        Raises
        ------
        ValueError
            If a statistic was not read.
        """
        if absent := set(statistics) - set(self.statistics):
            message = f"the windows were read without {', '.join(sorted(absent))}"
            raise ValueError(message)
        channels = self.channels if channels is None else channels
        rows = [self.statistics.index(name) for name in statistics]
        values = np.full((len(self), len(rows), len(channels)), np.nan, dtype=np.float32)
        known = [(i, self.channels.index(c)) for i, c in enumerate(channels) if c in self.channels]
        for column, source in known:
            values[:, :, column] = self.values[:, rows, source]
        return type(self)(channels, tuple(statistics), values, self.index)

    def plus(self, other: "WindowSet | None") -> "WindowSet":
        """Return these windows and others of the same statistics and channels."""
        if other is None or not len(other):
            return self
        return WindowSet(
            self.channels,
            self.statistics,
            np.concatenate([self.values, other.values]),
            pl.concat([self.index, other.index]),
        )

    @property
    def is_leak(self) -> NDArray[np.bool_]:
        """Label of each window."""
        return self.index["is_leak"].to_numpy()

    @property
    def has_pipe(self) -> NDArray[np.bool_]:
        """Windows whose leaking pipe is known."""
        return self.index["link_id"].is_not_null().to_numpy()

    @property
    def leak_flow_m3_per_h(self) -> NDArray[np.float64]:
        """Mean leak flow of each window."""
        return self.index["leak_flow_m3_per_h"].to_numpy()

    @property
    def is_partial(self) -> NDArray[np.bool_]:
        """Windows with leak flow in too few steps for the label."""
        return (self.leak_flow_m3_per_h > 0) & ~self.is_leak

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Channels with enough points in a window, bool [n, channels]."""
        return np.asarray(np.isfinite(self.values).all(axis=1))


def window_set(
    features: pl.DataFrame,
    statistics: Sequence[str],
    *,
    channels: tuple[str, ...] | None = None,
) -> WindowSet:
    """Return the windows of a frame of window features.

    Parameters
    ----------
    features
        Rows of `features.windows` of one network, or of `features.training_windows`.
    statistics
        Columns to take.
    channels
        Channels and their order: those that the frame lacks are missing, others are left out.
        Default: the channels of the frame, sorted.

    Returns
    -------
    WindowSet
        Windows in order of scenario and time.
    """
    keys = [name for name in _KEYS if name in features.columns]
    index = (
        features.select(name for name in _INDEX if name in features.columns)
        .unique(subset=keys)
        .sort(keys)
    )
    named = features.with_columns(pl.concat_str("quantity", pl.lit("/"), "sensor_id").alias("_id"))
    if channels is None:
        channels = tuple(named["_id"].unique().sort())
    position = pl.DataFrame({"_id": channels, "_column": range(len(channels))})
    cells = named.join(index.select(keys).with_row_index("_row"), on=keys).join(position, on="_id")
    values = np.full((index.height, len(statistics), len(channels)), np.nan, dtype=np.float32)
    row, column = cells["_row"].to_numpy(), cells["_column"].to_numpy()
    for i, name in enumerate(statistics):
        values[row, i, column] = cells[name].cast(pl.Float32).to_numpy()
    return WindowSet(tuple(channels), tuple(statistics), values, index)


def stored_windows(
    warehouse: Warehouse,
    table: str,
    network: str,
    statistics: Sequence[str],
    channels: tuple[str, ...],
) -> WindowSet | None:
    """Return the labelled windows that a table keeps of a whole network; None without any.

    Parameters
    ----------
    table
        `models.frozen_windows` or `models.judged_windows`.
    """
    rows = warehouse.read(table, {"network": network})
    if rows is None or rows.is_empty():
        return None
    return window_set(rows, statistics, channels=channels)


def training_set(
    batches: Iterable[pl.DataFrame],
    statistics: Sequence[str],
    *,
    channels: tuple[str, ...] | None = None,
) -> WindowSet:
    """Return the labelled windows of scenario batches.

    Parameters
    ----------
    batches
        Rows of `features.training_windows`, one frame per batch; they are read one by one.
    statistics
        Columns to take.
    channels
        Channels and their order; default: those of the first batch.

    Raises
    ------
    ValueError
        If there is no batch.
    """
    parts: list[WindowSet] = []
    for batch in batches:
        parts.append(window_set(batch, statistics, channels=channels))
        channels = parts[-1].channels
    if not parts:
        message = "there is no scenario batch to take windows from"
        raise ValueError(message)
    return WindowSet(
        parts[0].channels,
        parts[0].statistics,
        np.concatenate([part.values for part in parts]),
        pl.concat([part.index for part in parts]),
    )
