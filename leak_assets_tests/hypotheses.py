"""Rows of the detection tables, told as stories: one character for each day of a hypothesis."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.warehouse.schemas.detection import EVIDENCE, HYPOTHESES, LEAK_CANDIDATES
from leak_assets.warehouse.schemas.network import LINKS

NETWORK = "net1"
FIRST_DAY = date(2019, 1, 7)
PIPES = ("p1", "p2", "p3", "p4")
ONE_DAY = timedelta(days=1)
_STATUS = {"w": "watched", "r": "reported", "e": "ended", "x": "ended"}


@dataclass(frozen=True)
class Detected:
    """Rows of `detection.hypotheses`, `.leak_candidates` and `.evidence`."""

    hypotheses: pl.DataFrame
    candidates: pl.DataFrame
    evidence: pl.DataFrame

    def __add__(self, other: "Detected") -> "Detected":
        """Return the rows of both."""
        return Detected(
            pl.concat([self.hypotheses, other.hypotheses]),
            pl.concat([self.candidates, other.candidates]),
            pl.concat([self.evidence, other.evidence]),
        )

    def filter(self, condition: pl.Expr) -> "Detected":
        """Return some of the rows; the condition names columns that all tables have."""
        return Detected(
            self.hypotheses.filter(condition),
            self.candidates.filter(condition),
            self.evidence.filter(condition),
        )


NOTHING = Detected(HYPOTHESES.empty(), LEAK_CANDIDATES.empty(), EVIDENCE.empty())


def midnight(days: float) -> datetime:
    """Return the begin of the day with this number."""
    return datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC) + days * ONE_DAY


def story(
    name: str,
    marks: str,
    *,
    flow_m3_per_h: float | Sequence[float | None] = 12.0,
    pipes: str | Sequence[str] = "p2",
    method: str = "likelihood",
    kind: str = "leak",
    rows_per_day: int = 1,
    network: str = NETWORK,
) -> Detected:
    """Return the rows of a hypothesis.

    Parameters
    ----------
    name
        Its id.
    marks
        One character for each day (or part of it): `w` watched, `r` reported, `e` ended, `x`
        reported and ended at once, anything else no row.
    flow_m3_per_h, pipes
        Of all rows, or one for each mark.
    rows_per_day
        Marks to a day.
    """
    flows = flow_m3_per_h if isinstance(flow_m3_per_h, Sequence) else [flow_m3_per_h] * len(marks)
    places = [pipes] * len(marks) if isinstance(pipes, str) else pipes
    ends = [midnight((i + 1) / rows_per_day) for i in range(len(marks))]
    seen = [at for at, mark in zip(ends, marks, strict=True) if mark in _STATUS]
    told = [at for at, mark in zip(ends, marks, strict=True) if mark in "rx"]
    rows = []
    for at, mark, flow, place in zip(ends, marks, flows, places, strict=True):
        if mark not in _STATUS:
            continue
        reported = min((t for t in told if t <= at), default=None)
        hours = (at - seen[0]).total_seconds() / 3600 + 6
        rows.append(
            {
                "network": network,
                "method": method,
                "method_version": "2",
                "hypothesis_id": name,
                "at": at,
                "rank": 1,
                "kind": kind,
                "status": _STATUS[mark],
                "element_id": place,
                "onset_at": seen[0] - timedelta(hours=6),
                "first_seen_at": seen[0],
                "reported_at": reported,
                "ended_at": at - timedelta(hours=1) if mark in "ex" else None,
                "flow_m3_per_h": flow,
                "volume_m3": None if flow is None else flow * hours,
                "probability": 0.9,
                "score": 55.0,
                "last_updated_at": at,
            }
        )
    hypotheses = pl.DataFrame(rows, schema=HYPOTHESES.polars_schema)
    return Detected(hypotheses, _candidates(hypotheses), _evidence(hypotheses))


def _candidates(hypotheses: pl.DataFrame) -> pl.DataFrame:
    """Return the pipe with 0.6 and the next with 0.3, for each row."""
    rows = []
    for row in hypotheses.iter_rows(named=True):
        other = (
            PIPES[(PIPES.index(row["element_id"]) + 1) % 4] if row["element_id"] in PIPES else ""
        )
        for rank, (pipe, share) in enumerate(((row["element_id"], 0.6), (other, 0.3)), start=1):
            rows.append(row | {"rank": rank, "link_id": pipe, "probability": share})
    names = LEAK_CANDIDATES.polars_schema.names()
    kept = [{name: row[name] for name in names} for row in rows]
    return pl.DataFrame(kept, schema=LEAK_CANDIDATES.polars_schema)


def _evidence(hypotheses: pl.DataFrame) -> pl.DataFrame:
    """Return four sensors that say so, for each row."""
    sensors = (("n1", "pressure", -5.0, -0.8), ("inflow", "flow", 3.3, 0.0033),
               ("n2", "pressure", -2.0, -0.4), ("n3", "pressure", -1.0, -0.2))  # fmt: skip
    rows = [
        {name: row[name] for name in EVIDENCE.key[:-1]}
        | {
            "method_version": row["method_version"],
            "rank": rank,
            "sensor_id": sensor,
            "quantity": quantity,
            "contribution": z,
            "residual_si": si,
        }
        for row in hypotheses.iter_rows(named=True)
        for rank, (sensor, quantity, z, si) in enumerate(sensors, start=1)
    ]
    return pl.DataFrame(rows, schema=EVIDENCE.polars_schema)


def pipes_in_a_row(network: str = NETWORK) -> pl.DataFrame:
    """Return rows of `network.links`: four pipes of 100 m."""
    return pl.DataFrame(
        {
            "network": network,
            "link_id": PIPES,
            "link_type": "pipe",
            "start_node": ["a", "b", "c", "d"],
            "end_node": ["b", "c", "d", "e"],
            "length_m": 100.0,
            "diameter_m": 0.1,
            "roughness": 100.0,
            "initial_status": "open",
        },
        schema=LINKS.polars_schema,
    )
