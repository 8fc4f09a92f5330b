"""Why the method thinks so: candidate pipes and sensors, pooled over alarmed windows.

Which windows those are is decided in `lifecycle` and `method`.
"""

import polars as pl

from leak_assets.errors import InputError

from .policy import TOP_CANDIDATES, TOP_SENSORS

_FLOOR = 1e-9
"""Keeps the logarithm finite where a window's list holds all of the probability."""


def pooled_candidates(
    candidates: pl.DataFrame, alarmed: pl.DataFrame, links: pl.DataFrame
) -> pl.DataFrame:
    """Pool the pinpointer's lists over alarmed windows into one ranking.

    Geometric mean of the probabilities (logarithmic opinion pool: Genest and Zidek, Statistical
    Science 1, 1986): windows overlap, so their probabilities are averaged, not multiplied up.
    A window lists its best pipes only; what it left over is spread evenly on the others.

    Parameters
    ----------
    candidates
        Rows of `detection.window_candidates`.
    alarmed
        Rows of `detection.window_scores` to pool over.
    links
        Rows of `network.links`.

    Returns
    -------
    polars.DataFrame
        `rank`, `link_id`, `probability` (share over all pipes), `length_m`; the best 20 at most,
        and no pipe that stands in no list.

    Raises
    ------
    InputError
        If a candidate is no pipe of the network.
    """
    pipes = links.filter(pl.col("link_type") == "pipe").select("link_id", "length_m")
    chosen = candidates.join(alarmed.select("window_start"), on="window_start", how="semi")
    unknown = chosen.join(pipes, on="link_id", how="anti")
    if not unknown.is_empty():
        problem = f"candidate {unknown['link_id'].min()!r} is no pipe of the network"
        raise InputError(problem, remedy="train the pinpointer on the network as registered now")
    windows = chosen["window_start"].n_unique()
    if windows == 0:
        return _ranked(pipes.head(0).with_columns(probability=pl.lit(0.0)))
    left_over = (
        chosen.group_by("window_start")
        .agg(listed=pl.col("probability").sum(), count=pl.len())
        .with_columns(
            log_rest=((1.0 - pl.col("listed")).clip(0.0) / (pipes.height - pl.col("count")).clip(1))
            .clip(_FLOOR)
            .log()
        )
        .sort("window_start")
    )
    # Sum over windows = what every pipe would get unlisted, plus the gain where it is listed.
    base = left_over["log_rest"].sum()
    gains = (
        chosen.join(left_over, on="window_start")
        .sort("window_start", "link_id")
        .group_by("link_id", maintain_order=True)
        .agg(gain=(pl.col("probability").clip(_FLOOR).log() - pl.col("log_rest")).sum())
    )
    weights = (
        pipes.sort("link_id")
        .join(gains, on="link_id", how="left", maintain_order="left")
        .with_columns(weight=((pl.col("gain").fill_null(0.0) + base) / windows).exp())
    )
    total = weights["weight"].sum()
    listed = weights.filter(pl.col("gain").is_not_null())
    return _ranked(listed.with_columns(probability=pl.col("weight") / total))


def _ranked(pool: pl.DataFrame) -> pl.DataFrame:
    return (
        pool.sort("probability", "link_id", descending=[True, False])
        .head(TOP_CANDIDATES)
        .select(
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("rank"),
            "link_id",
            "probability",
            "length_m",
        )
    )


def sensor_evidence(residuals: pl.DataFrame, alarmed: pl.DataFrame) -> pl.DataFrame:
    """Rank the channels by how far they stood off during the alarmed windows.

    Parameters
    ----------
    residuals
        Rows of `features.residuals`.
    alarmed
        Rows of `detection.window_scores`; a step that lies in several windows counts in each.

    Returns
    -------
    polars.DataFrame
        `rank`, `sensor_id`, `quantity`, `contribution` (signed mean z-score), `residual_si`
        (mean, m or m3/s); the ten largest magnitudes at most.
    """
    # Cut to the alarms' time first: the pairing with windows is the slow part.
    span = alarmed.select(pl.col("window_start").min(), pl.col("window_end").max())
    usable = residuals.filter((pl.col("mask") == 1) & pl.col("residual_z").is_finite()).join_where(
        span, pl.col("ts_utc") >= pl.col("window_start"), pl.col("ts_utc") <= pl.col("window_end")
    )
    return (
        usable.drop("window_start", "window_end")
        .join_where(
            alarmed.select("window_start", "window_end"),
            pl.col("ts_utc") >= pl.col("window_start"),
            pl.col("ts_utc") <= pl.col("window_end"),
        )
        .sort("sensor_id", "quantity", "ts_utc", "window_start")
        .group_by("sensor_id", "quantity", maintain_order=True)
        .agg(contribution=pl.col("residual_z").mean(), residual_si=pl.col("residual_si").mean())
        .sort(
            pl.col("contribution").abs(), "sensor_id", "quantity", descending=[True, False, False]
        )
        .head(TOP_SENSORS)
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
        .select("rank", "sensor_id", "quantity", "contribution", "residual_si")
    )
