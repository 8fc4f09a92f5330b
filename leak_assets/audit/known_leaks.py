"""Incidents beside simulated leaks that are known: what was estimated, and what was lost.

Only the comparison belongs here; which error is too large is said by `invariants`, what a method
is worth in euro by the benchmark.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from leak_assets.exchange.battledim.truth import TrueLeak, Truth
from leak_assets.sites.distance import PipeDistance
from leak_assets.sites.registry import Network

# BattLeDIM's radius; in a network of longer pipes the neighbor counts, too.
NEAR_M = 300.0
# A method that looks at whole days may put the start a day or two too early.
EARLY = timedelta(days=2)
STEPS_PER_H = 12
COLUMNS: dict[str, Any] = {
    "incident_id": pl.String,
    "day": pl.Date,
    "link_id": pl.String,
    "flow_m3_per_h": pl.Float64,
    "true_flow_m3_per_h": pl.Float64,
    "volume_m3": pl.Float64,
    "true_volume_m3": pl.Float64,
}


def beside_known_leaks(days: pl.DataFrame, truth: Truth, network: Network) -> pl.DataFrame:
    """Return estimates and truth for each day of each incident that is about a known leak.

    An incident is about the nearest leak within 300 m of its first pipe, or on a pipe next to it,
    that ran on the day or had run since the incident's start.

    Parameters
    ----------
    days
        Rows of `incidents.incident_days` of the network.
    truth
        The known leaks.

    Returns
    -------
    polars.DataFrame
        `COLUMNS`: flow of the day as estimated and its true mean, loss by the day's end as
        estimated and since the leak began.
    """
    if days.is_empty() or not truth.leaks:
        return pl.DataFrame(schema=COLUMNS)
    near = _Near(network)
    rows = []
    for row in days.iter_rows(named=True):
        leak = near.leak_of(row, truth)
        if leak is None:
            continue
        begin = truth.step(max(leak.start_at, truth.start_at))
        first, end = (truth.step(_midnight(row["day"] + timedelta(days=n))) for n in (0, 1))
        of_day = leak.flow_m3_per_h[max(first, 0) : end]
        rows.append(
            (
                row["incident_id"],
                row["day"],
                leak.link_id,
                row["flow_m3_per_h"],
                float(of_day.mean()) if of_day.size else 0.0,
                row["volume_lost_m3"],
                float(leak.flow_m3_per_h[begin:end].sum()) / STEPS_PER_H,
            )
        )
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def ratios(beside: pl.DataFrame) -> dict[str, float | int | None]:
    """Return how far estimates lie from the truth, as `detection.backtests` has it.

    Parameters
    ----------
    beside
        As from `beside_known_leaks`. Days on which the leak began, ended or did not run count for
        the volume alone.
    """
    newest = beside.sort("day").group_by("incident_id").last().filter(pl.col("true_volume_m3") > 0)
    volume = (newest["volume_m3"] / newest["true_volume_m3"]).median()
    whole = beside.filter(
        pl.col("true_flow_m3_per_h") >= 0.8 * pl.col("true_flow_m3_per_h").max().over("link_id"),
        pl.col("true_flow_m3_per_h") > 0,
    )
    flow = whole["flow_m3_per_h"] / whole["true_flow_m3_per_h"]
    found = {
        "volume_ratio": volume,
        "flow_ratio": flow.median(),
        "flow_ratio_low": flow.quantile(0.1),
        "flow_ratio_high": flow.quantile(0.9),
    }
    rounded = {
        name: round(value, 3) if isinstance(value, float) else None for name, value in found.items()
    }
    return {"compared": newest.height, **rounded}


class _Near:
    """Which leak a pipe is near to."""

    def __init__(self, network: Network) -> None:
        self._distance = PipeDistance(network)
        model = network.shared_model()
        self._length = {name: float(pipe.length) for name, pipe in model.pipes()}

    def leak_of(self, row: dict[str, Any], truth: Truth) -> TrueLeak | None:
        pipe, begin, end = row["top_link_id"], row["leak_start"] - EARLY, _midnight(row["day"])
        found = [
            (self._distance(leak.link_id, pipe), number)
            for number, leak in enumerate(truth.leaks)
            if leak.start_at < end + timedelta(days=1) and leak.end_at > begin
        ]
        reached = [
            (away, number)
            for away, number in found
            if away <= max(NEAR_M, self._side_by_side(truth.leaks[number].link_id, pipe))
        ]
        return truth.leaks[min(reached)[1]] if reached else None

    def _side_by_side(self, a: str, b: str) -> float:
        """Return the distance of two pipes that share a node, m."""
        return (self._length.get(a, 0.0) + self._length.get(b, 0.0)) / 2 + 1.0


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
