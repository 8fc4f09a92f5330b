"""The look of all small pictures: size, colors, axes, legend, and the way to PNG bytes.

What is drawn is the business of `figures`.
"""

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1b2733", "#66788a", "#e3e8ee"
BLUE, RED, AMBER, GREEN = "#1f6feb", "#d1332e", "#e08a00", "#1a7f4b"
_DPI = 100


def panels(rows: int, height_in: float, *, share_x: bool = True) -> "tuple[Figure, list[Axes]]":
    """Return a figure and its panels, one below the other, heights in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.8, height_in), dpi=_DPI, layout="constrained")
    axes = list(figure.subplots(rows, 1, sharex=share_x, squeeze=False)[:, 0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(MUTED)
        axis.tick_params(colors=MUTED, labelsize=8)
        axis.grid(color=GRID, linewidth=0.6)
        axis.set_axisbelow(True)
    return figure, axes


def label_panel(axis: "Axes", text: str, unit: str) -> None:
    """Name what a panel shows and its unit."""
    axis.set_title(text, loc="left", fontsize=10, color=INK, fontweight="bold")
    axis.set_ylabel(unit, fontsize=8, color=MUTED)


def date_axis(axis: "Axes") -> None:
    """Write short UTC dates below a panel."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=10)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axis.set_xlabel("time (UTC)", fontsize=8, color=MUTED)


def add_legend(axis: "Axes", columns: int = 4) -> None:
    """Name the curves above the panel, at the right."""
    if axis.get_legend_handles_labels()[0]:
        # Above the axes at the right: no curve can run through it.
        axis.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns, fontsize=8,
            frameon=False, labelcolor=INK, borderaxespad=0.2, handlelength=1.4,
        )  # fmt: skip


def as_png(figure: "Figure") -> bytes:
    """Return the picture as PNG bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba()))
    buffer = BytesIO()
    # 200 colors are enough for lines and a color bar, and cut the size to less than half.
    picture.convert("RGB").quantize(200).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def say_no_data(axis: "Axes") -> None:
    """Write so into an empty panel."""
    axis.text(0.5, 0.5, "no data", ha="center", color=MUTED, transform=axis.transAxes)
