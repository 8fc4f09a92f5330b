"""The picture of leak signatures for asset metadata: which sensors feel a leak at which pipe."""

from typing import Any

import numpy as np
import polars as pl

from .drawing import INK, MUTED, as_png, panels, say_no_data

_MOST_SENSORS = 60


def signature_heatmap(signatures: pl.DataFrame) -> bytes:
    """Draw the residual of the middle leak size, one row per pressure sensor, one column per pipe.

    Parameters
    ----------
    signatures
        Rows of `simulation.leak_signatures`. The mean over the hours is shown, pipes sorted by
        the sensor that feels them most.

    Returns
    -------
    bytes
        PNG.
    """
    pressures = signatures.filter(pl.col("quantity") == "pressure")
    sizes = pressures["leak_m3_per_s"].unique().sort()
    figure, (axis,) = panels(1, 1.6 + 0.12 * min(max(8, pressures["sensor_id"].n_unique()), 40))
    axis.grid(visible=False)
    if sizes.is_empty():
        say_no_data(axis)
        return as_png(figure)
    size = float(sizes[len(sizes) // 2])
    table = (
        pressures.filter(pl.col("leak_m3_per_s") == size)
        .group_by("link_id", "sensor_id", maintain_order=True)
        .agg(pl.col("residual_si").mean())
        .pivot(on="sensor_id", index="link_id", values="residual_si")
    )
    sensors = table.columns[1 : 1 + _MOST_SENSORS]
    values = table.select(sensors).to_numpy().astype(float).T
    values = values[:, np.argsort(np.abs(values).argmax(axis=0), kind="stable")]
    limit = float(np.quantile(np.abs(values), 0.99)) or 1.0
    image = axis.imshow(
        values, aspect="auto", cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest"
    )
    axis.set_yticks(range(len(sensors)), sensors, fontsize=6)
    axis.set_xticks([])
    axis.set_xlabel(
        f"{table.height} pipes, by the sensor that feels a leak most", fontsize=8, color=MUTED
    )
    bar: Any = figure.colorbar(image, ax=axis, pad=0.01, aspect=28, extend="both")
    bar.set_label("pressure residual, m", fontsize=8, color=MUTED)
    bar.ax.tick_params(labelsize=8, colors=MUTED)
    bar.outline.set_visible(False)
    axis.set_title(f"Signatures of leaks of {size * 1000:g} L/s", loc="left", fontsize=10,
                   color=INK, fontweight="bold")  # fmt: skip
    return as_png(figure)
