"""Why the system thinks so: candidate pipes and sensors of an incident's revision.

Both are the method's, as it gave them with the row of the hypothesis; nothing is estimated here.
"""

import polars as pl

from leak_assets.errors import InputError

from .policy import TOP_CANDIDATES, TOP_SENSORS


def candidate_pipes(listed: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Return the candidate pipes of one row of a hypothesis, with their lengths.

    Parameters
    ----------
    listed
        Rows of `detection.leak_candidates` of one hypothesis at one time.
    links
        Rows of `network.links`.

    Returns
    -------
    polars.DataFrame
        `rank`, `link_id`, `probability` (share over all pipes), `cumulative_probability`,
        `length_m`; the best 20 at most.

    Raises
    ------
    InputError
        If a candidate is no pipe of the network.
    """
    pipes = links.filter(pl.col("link_type") == "pipe").select("link_id", "length_m")
    ranked = (
        listed.sort("rank")
        .head(TOP_CANDIDATES)
        .join(pipes, on="link_id", how="left", maintain_order="left")
    )
    unknown = ranked.filter(pl.col("length_m").is_null())
    if not unknown.is_empty():
        raise unknown_pipe(unknown["link_id"][0])
    return ranked.select(
        "rank",
        "link_id",
        pl.col("probability").round(9),
        pl.col("probability").cum_sum().round(9).alias("cumulative_probability"),
        "length_m",
    )


def unknown_pipe(link_id: str) -> InputError:
    """Return the error for a hypothesis about a pipe that the network does not have."""
    return InputError(
        f"candidate {link_id!r} is no pipe of the network",
        remedy="run the detection again for the network as it is registered now",
    )


def sensors(listed: pl.DataFrame) -> pl.DataFrame:
    """Return the channels that speak for one row of a hypothesis.

    Parameters
    ----------
    listed
        Rows of `detection.evidence` of one hypothesis at one time.

    Returns
    -------
    polars.DataFrame
        `rank`, `sensor_id`, `quantity`, `contribution` (signed, in standard deviations),
        `residual_si` (m or m3/s); the ten strongest at most.
    """
    return (
        listed.sort("rank")
        .head(TOP_SENSORS)
        .select(
            "rank",
            "sensor_id",
            "quantity",
            pl.col("contribution").round(9),
            pl.col("residual_si").round(9),
        )
    )
