"""A hypothesis: what a method holds to be going on, and its rows in the tables of `detection`.

The common word of all methods; how one comes to a hypothesis is its own.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import polars as pl

from leak_assets.warehouse.schemas.detection import EVIDENCE, HYPOTHESES, LEAK_CANDIDATES

Kind = Literal["leak", "event", "sensor_fault"]
Status = Literal["watched", "reported", "ended"]

_DIGITS = 8
"""Significant digits of the rows. Memory that was stored and read again, and parallel sums, differ
in the thirteenth: what follows from the same data is to be the same to the last digit stored."""


@dataclass(frozen=True)
class Contribution:
    """One sensor's part in a hypothesis.

    Parameters
    ----------
    sensor_id, quantity
        The channel.
    contribution
        Signed, in standard deviations.
    residual_si
        Measured minus expected, m or m3/s.
    """

    sensor_id: str
    quantity: str
    contribution: float
    residual_si: float | None


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """What a method holds to be going on, as it was known at a time (UTC).

    Parameters
    ----------
    hypothesis_id
        Stable name; as from `hypothesis_id`.
    at
        End of the data that led to it.
    kind, status
        What it is, and whether it is only suspected, reported, or over.
    element_id
        Best pipe, or a sensor such as `pressure/n1`.
    onset_at, first_seen_at, reported_at, ended_at, last_updated_at
        Estimated begin; end of the data that first led to it; when it was reported; estimated
        end; last change of element, status or begin.
    flow_m3_per_h, volume_m3
        Of a leak: flow at `at`, and loss since its onset.
    probability
        That the leak is within 300 m of the element; of others, that they are the explanation.
    score
        The method's own statistic.
    candidates
        Pipes with their shares of the probability over all pipes, best first.
    evidence
        Sensors, strongest first.
    """

    hypothesis_id: str
    at: datetime
    kind: Kind
    status: Status
    element_id: str
    onset_at: datetime
    first_seen_at: datetime
    reported_at: datetime | None
    ended_at: datetime | None
    last_updated_at: datetime
    flow_m3_per_h: float | None
    volume_m3: float | None
    probability: float
    score: float
    candidates: Sequence[tuple[str, float]] = field(default=(), repr=False)
    evidence: Sequence[Contribution] = field(default=(), repr=False)


def hypothesis_id(
    network: str, method: str, kind: Kind, first_seen: datetime, element_id: str
) -> str:
    """Return the stable name of a hypothesis.

    Parameters
    ----------
    first_seen
        End of the data that first led to it.
    element_id
        Where it was seen first; the name stays when the place moves.

    Examples
    --------
    >>> from datetime import UTC
    >>> hypothesis_id("l-town", "windows", "leak", datetime(2019, 1, 7, 5, 30, tzinfo=UTC), "p1")
    'l-town-20190107T0530-1a40'
    """
    text = "|".join((network, method, kind, first_seen.isoformat(), element_id))
    digest = hashlib.sha256(text.encode()).hexdigest()[:4]
    return f"{network}-{first_seen:%Y%m%dT%H%M}-{digest}"


def frames(
    network: str, method: str, version: str, hypotheses: Iterable[Hypothesis]
) -> dict[str, pl.DataFrame]:
    """Return rows of `detection.hypotheses`, `.leak_candidates` and `.evidence`.

    At each time the hypotheses are ranked: reported before watched before ended, the most
    probable first.
    """
    by_time: dict[datetime, list[Hypothesis]] = {}
    for one in hypotheses:
        by_time.setdefault(one.at, []).append(one)
    main: list[tuple[object, ...]] = []
    candidates: list[tuple[object, ...]] = []
    evidence: list[tuple[object, ...]] = []
    for at in sorted(by_time):
        for rank, one in enumerate(sorted(by_time[at], key=_certainty), 1):
            key = (network, method, version, one.hypothesis_id, at)
            main.append(
                (
                    *key,
                    rank,
                    one.kind,
                    one.status,
                    one.element_id,
                    one.onset_at,
                    one.first_seen_at,
                    one.reported_at,
                    one.ended_at,
                    _rounded(one.flow_m3_per_h),
                    _rounded(one.volume_m3),
                    _rounded(one.probability),
                    _rounded(one.score),
                    one.last_updated_at,
                )
            )
            candidates += [
                (*key, number, link, _rounded(share))
                for number, (link, share) in enumerate(one.candidates, 1)
            ]
            evidence += [
                (
                    *key,
                    number,
                    part.sensor_id,
                    part.quantity,
                    _rounded(part.contribution),
                    _rounded(part.residual_si),
                )
                for number, part in enumerate(one.evidence, 1)
            ]
    return {
        table.full_name: pl.DataFrame(rows, schema=table.polars_schema, orient="row")
        for table, rows in ((HYPOTHESES, main), (LEAK_CANDIDATES, candidates), (EVIDENCE, evidence))
    }


def _certainty(one: Hypothesis) -> tuple[int, float, str]:
    order = {"reported": 0, "watched": 1, "ended": 2}
    return order[one.status], -one.probability, one.hypothesis_id


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}") + 0.0
