"""Small pictures for asset metadata: what a reader sees before reading a number.

Each function takes table rows and returns the bytes of a PNG of at most some 80 kB. Pictures
that can be zoomed are in the report.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from leak_assets.features.inflow import inflow_residual
from leak_assets.units import SECONDS_PER_HOUR

from .drawing import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    MUTED,
    RED,
    add_legend,
    as_png,
    date_axis,
    label_panel,
    panels,
    say_no_data,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def current_state(events: pl.DataFrame) -> pl.DataFrame:
    """Return the newest row of each incident, by first detection."""
    return (
        events.sort("revision")
        .group_by("incident_id", maintain_order=True)
        .last()
        .sort("detected_at", "incident_id")
        .select(events.columns)
    )


def signal_figure(
    *,
    scores: pl.DataFrame,
    residuals: pl.DataFrame,
    events: pl.DataFrame,
    truth: pl.DataFrame | None = None,
) -> bytes:
    """Draw anomaly score with threshold and alarms above the inflow residual.

    Parameters
    ----------
    scores, residuals, events
        Rows of `detection.window_scores`, `features.residuals`, `incidents.incident_events`.
    truth
        Rows of `simulation.leak_truth` where the leaks are known.
    """
    figure, (top, bottom) = panels(2, 4.2)
    shown = scores.sort("window_end")
    if shown.is_empty():
        say_no_data(top)
    else:
        _incident_spans((top, bottom), events, shown)
        top.plot(shown["window_end"], shown["anomaly_score"], color=BLUE, lw=1.1, label="score")
        top.plot(shown["window_end"], shown["threshold"], color=MUTED, lw=1, ls="--",
                 label="threshold")  # fmt: skip
        alarms = shown.filter(pl.col("is_alarm"))
        top.plot(alarms["window_end"], alarms["anomaly_score"], ".", color=RED, ms=4, label="alarm")
    inflow = inflow_residual(residuals)
    bottom.plot(
        inflow["ts_utc"],
        inflow["residual_si"] * SECONDS_PER_HOUR,
        color=BLUE,
        lw=0.7,
        label="residual",
    )
    bottom.axhline(0.0, color=MUTED, lw=0.8)
    if truth is not None:
        first, last = shown["window_start"].min(), shown["window_end"].max()
        for axis in (top, bottom):
            for number, leak in enumerate(truth.iter_rows(named=True)):
                if first is not None and leak["leak_start"] <= last and leak["leak_end"] >= first:
                    axis.axvline(leak["leak_start"], color=GREEN, lw=1.4, ls=":",
                                 label="true start" if number == 0 else None)  # fmt: skip
    label_panel(top, "Anomaly score of 3 h windows", "score, 0 to 1")
    top.set_ylim(-0.03, 1.05)
    label_panel(bottom, "Inflow beyond expectation", "m³/h")
    date_axis(bottom)
    add_legend(top, 5)
    add_legend(bottom)
    return as_png(figure)


def _incident_spans(axes: "Sequence[Axes]", events: pl.DataFrame, shown: pl.DataFrame) -> None:
    span: tuple[Any, Any] = (shown["window_start"].min(), shown["window_end"].max())
    for axis in axes:
        for number, row in enumerate(current_state(events).iter_rows(named=True)):
            until = row["leak_end"] or span[1]
            axis.axvspan(row["leak_start"], until, color=AMBER, alpha=0.16, lw=0,
                         label="incident" if number == 0 else None)  # fmt: skip
        axis.set_xlim(*span)


def map_figure(
    *,
    nodes: pl.DataFrame,
    links: pl.DataFrame,
    sensors: pl.DataFrame,
    candidates: pl.DataFrame,
    truth_links: Sequence[str] = (),
    title: str = "Candidate pipes",
) -> bytes:
    """Draw the network with its sensors and the candidate pipes colored by probability.

    Parameters
    ----------
    nodes, links, sensors
        Rows of `network.nodes`, `network.links`, `network.sensors`.
    candidates
        `link_id` and `probability` of one incident revision.
    truth_links
        Pipes that really leak, where known.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap

    spread = nodes.select(pl.max("x", "y") - pl.min("x", "y")).row(0)
    figure, (axis,) = panels(1, float(np.clip(0.7 + 7.4 * spread[1] / max(spread[0], 1.0), 3, 8)))
    axis.grid(visible=False)
    axis.axis("off")
    axis.set_aspect("equal")
    segments = link_segments(nodes, links)
    axis.add_collection(LineCollection(list(segments.values()), colors="#b9c4cf", linewidths=0.8))
    axis.autoscale()
    ranked = candidates.filter(pl.col("link_id").is_in(list(segments))).sort("probability")
    if not ranked.is_empty():
        colors = LinearSegmentedColormap.from_list("leak", ["#f7c873", "#e0561b", "#8c1010"])
        heat = LineCollection(
            [segments[link] for link in ranked["link_id"]],
            cmap=colors,
            linewidths=4.0,
            capstyle="round",
        )
        heat.set_array(ranked["probability"].to_numpy() * 100.0)
        heat.set_clim(0.0, 100.0 * ranked["probability"].to_numpy().max())
        axis.add_collection(heat)
        bar: Any = figure.colorbar(heat, ax=axis, shrink=0.55, pad=0.01, aspect=28)
        bar.set_label("probability, %", fontsize=8, color=MUTED)
        bar.ax.tick_params(labelsize=8, colors=MUTED)
        bar.outline.set_visible(False)
        best = np.mean(segments[ranked["link_id"][-1]], axis=0)
        axis.annotate(f"dig first: {ranked['link_id'][-1]}", best, xytext=(10, 10), fontsize=9,
                      textcoords="offset points", color=INK, fontweight="bold")  # fmt: skip
    for quantity, marker in (("pressure", "o"), ("flow", "s"), ("level", "^"), ("demand", ".")):
        of = sensors.filter(pl.col("quantity") == quantity)
        if not of.is_empty():
            axis.plot(of["x"], of["y"], marker, color=BLUE, ms=3 if marker == "." else 5, lw=0,
                      mec="white", mew=0.5, label=f"{quantity} sensor")  # fmt: skip
    for number, link in enumerate(t for t in truth_links if t in segments):
        x, y = np.mean(segments[link], axis=0)
        axis.plot(x, y, "X", color=GREEN, ms=11, mec="white", mew=1.2, lw=0,
                  label="true leak" if number == 0 else None)  # fmt: skip
    axis.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
    add_legend(axis, 5)
    return as_png(figure)


def link_segments(
    nodes: pl.DataFrame, links: pl.DataFrame
) -> dict[str, tuple[tuple[float, float], tuple[float, float]]]:
    """Return the end points of each link in the coordinates of the EPANET file."""
    at = {n: (x, y) for n, x, y in nodes.select("node_id", "x", "y").iter_rows()}
    return {
        link: (at[start], at[end])
        for link, start, end in links.select("link_id", "start_node", "end_node").iter_rows()
    }


def training_figure(training_runs: pl.DataFrame) -> bytes:
    """Draw the loss curves of training runs, one panel per model version.

    Parameters
    ----------
    training_runs
        Rows of `models.training_runs`.
    """
    from matplotlib.ticker import MaxNLocator

    runs = training_runs.sort("model", "version", "epoch").partition_by(
        "model", "version", maintain_order=True
    )
    figure, axes = panels(max(1, len(runs)), 2.4 * max(1, len(runs)), share_x=False)
    for axis, run in zip(axes, runs, strict=False):
        axis.plot(run["epoch"], run["train_loss"], color=MUTED, lw=1.2, label="training")
        axis.plot(run["epoch"], run["validation_loss"], color=BLUE, lw=1.4, label="validation")
        best = run.filter(pl.col("is_best"))
        axis.plot(best["epoch"], best["validation_loss"], "o", color=RED, ms=6, label="kept")
        label_panel(axis, f"{run['model'][0]}  {run['version'][0]}", "loss")
        axis.set_xlabel("epoch", fontsize=8, color=MUTED)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        add_legend(axis)
    if not runs:
        say_no_data(axes[0])
    return as_png(figure)
