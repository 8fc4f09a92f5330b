"""The one list of baselines, and which of their reports a submission has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from leak_assets.benchmark.score import MAX_DISTANCE_M
from leak_assets.benchmark.submission import Report
from leak_assets.sites import Network, PipeDistance

from .chance import at_random, nothing
from .forest import forest
from .interpolation import interpolation
from .lila import lila
from .nearest_sensor import nearest_sensor
from .night_flow import night_flow
from .town_data import TownData


class Reporting(Protocol):
    """A baseline: all its reports of a town, of the history too, by time.

    Causal: what it reports until a day stays the same whatever comes after.
    """

    def __call__(self, town: TownData, /) -> list[Report]:
        """Return the reports."""
        ...


@dataclass(frozen=True)
class Baseline:
    """A baseline under its name."""

    name: str
    title: str
    reports: Reporting


BASELINES: Mapping[str, Baseline] = {
    one.name: one
    for one in (
        Baseline("night-flow", "minimum night flow", night_flow),
        Baseline("lila", "LILA-style: pairwise regression, CUSUM", lila),
        Baseline("interpolation", "sensor interpolation", interpolation),
        Baseline("nearest-sensor", "CUSUM with nearest sensor", nearest_sensor),
        Baseline("forest", "random forest on windows", forest),
        Baseline("random", "RANDOM", at_random),
        Baseline("null", "NULL", nothing),
    )
}


def in_period(
    reports: Sequence[Report],
    repairs: Sequence[tuple[str, datetime]],
    network: Network,
    start: datetime,
    end: datetime,
) -> list[Report]:
    """Return what a submission reports of a baseline's reports in a period.

    What was reported before it and not repaired within the scorer's radius since then is
    reported when the period begins, each pipe once: a baseline closes nothing by itself.
    """
    distance = PipeDistance(network)
    standing = {
        one.link_id
        for one in reports
        if one.start_at <= start
        and not any(
            when >= one.start_at and distance(pipe, one.link_id) <= MAX_DISTANCE_M
            for pipe, when in repairs
        )
    }
    later = [one for one in reports if start < one.start_at < end]
    return [*(Report(start, pipe) for pipe in sorted(standing)), *later]
