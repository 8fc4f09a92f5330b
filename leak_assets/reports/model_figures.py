"""Pictures of the models' life: reliability, classes, drift. From table rows to PNG.

The loss curves are in `figures`.
"""

import polars as pl

from .drawing import (
    AMBER,
    BLUE,
    MUTED,
    RED,
    add_legend,
    as_png,
    date_axis,
    label_panel,
    panels,
    say_no_data,
)


def reliability_figure(reliability: pl.DataFrame) -> bytes:
    """Draw what scores say beside how often a leak runs.

    Parameters
    ----------
    reliability
        Rows of `models.reliability` of one version.
    """
    figure, axes = panels(1, 3.2, share_x=False)
    axis = axes[0]
    label_panel(axis, "calibration on the test windows", "share that leaks")
    if reliability.is_empty():
        say_no_data(axis)
        return as_png(figure)
    rows = reliability.sort("bin")
    axis.plot([0, 1], [0, 1], color=MUTED, lw=1.0, label="what it should be")
    axis.plot(rows["mean_score"], rows["leak_share"], "o-", color=BLUE, lw=1.4, label="the model")
    axis.set_xlabel("score", fontsize=8, color=MUTED)
    add_legend(axis)
    return as_png(figure)


def breakdown_figure(breakdowns: pl.DataFrame) -> bytes:
    """Draw the recall of each class, a panel per dimension.

    Parameters
    ----------
    breakdowns
        Rows of `models.breakdowns`.
    """
    rows = breakdowns.filter(pl.col("recall").is_not_null()).sort("model", "dimension", "class")
    parts = rows.partition_by("dimension", maintain_order=True)
    figure, axes = panels(max(1, len(parts)), 1.9 * max(1, len(parts)), share_x=False)
    for axis, part in zip(axes, parts, strict=False):
        for color, own in zip((BLUE, AMBER), part.partition_by("model"), strict=False):
            axis.plot(own["class"], own["recall"], "o", color=color, label=own["model"][0])
        axis.set_ylim(0, 1.05)
        label_panel(axis, str(part["dimension"][0]), "found")
        add_legend(axis)
    if not parts:
        say_no_data(axes[0])
    return as_png(figure)


def drift_figure(drift: pl.DataFrame) -> bytes:
    """Draw by day how far the farthest feature and the scores are, days that drift marked.

    Parameters
    ----------
    drift
        Rows of `models.drift`.
    """
    figure, axes = panels(2, 4.2)
    farthest = (
        drift.filter(pl.col("kind").is_in(["feature", "residual_bias"]))
        .group_by("date")
        .agg(pl.col("psi").max(), pl.col("bias_se").abs().max())
        .sort("date")
    )
    score = drift.filter(kind="score").sort("date")
    label_panel(axes[0], "population stability index", "index")
    label_panel(axes[1], "shift of the mean, in standard errors", "standard errors")
    if farthest.is_empty():
        say_no_data(axes[0])
        return as_png(figure)
    axes[0].plot(farthest["date"], farthest["psi"], color=BLUE, lw=1.4, label="farthest feature")
    axes[0].plot(score["date"], score["psi"], color=AMBER, lw=1.4, label="score")
    axes[1].plot(farthest["date"], farthest["bias_se"], color=BLUE, lw=1.4, label="farthest")
    fired = farthest.join(drift.filter(kind="all", is_drift=True), on="date", how="semi")
    if fired.height:
        axes[1].plot(fired["date"], fired["bias_se"], "o", color=RED, ms=4, label="the day drifts")
    date_axis(axes[1])
    for axis in axes:
        axis.set_ylim(bottom=0)
        add_legend(axis)
    return as_png(figure)
