"""Which of an operator's incidents a BattLeDIM submission reports, and when.

A pure function of the tables of `incidents`; the file itself is `exchange.battledim`'s.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import polars as pl

# What runs when the period begins is reported only where it is worth a crew: such a leak loses
# 14,000 euro in the year, in a network of L-Town's demand.
SMALLEST_M3_PER_H = 2.0


@dataclass(frozen=True, order=True)
class Report:
    """A line of a submission: when (UTC) and which pipe."""

    start_at: datetime
    link_id: str


def submission(
    events: pl.DataFrame,
    days: pl.DataFrame,
    *,
    start: date,
    end: date,
    smallest_m3_per_h: float = SMALLEST_M3_PER_H,
) -> list[Report]:
    """Return what the incidents of a network report in a period, by time.

    Incidents that are open when the period begins are reported then, where they are held to be
    then. After that each incident is reported when it opens and when it moves.

    Parameters
    ----------
    events, days
        Rows of `incidents.incident_events` and `incidents.incident_days` of one network, from
        its first day on.
    start, end
        First day (UTC) and the day after the last.
    smallest_m3_per_h
        Flow at the begin from which an open incident is reported then.
    """
    begin, after = _midnight(start), _midnight(end)
    known = days.filter(pl.col("day") < start)
    running = known.filter(
        pl.col("day") == pl.col("day").max(),
        pl.col("status") != "closed",
        pl.col("flow_m3_per_h") >= smallest_m3_per_h,
    )
    told = events.filter(
        pl.col("event").is_in(["opened", "relocated", "reopened"]),
        pl.col("event_at") > begin,
        pl.col("event_at") < after,
    )
    reports = [Report(begin, link_id) for link_id in running["top_link_id"]]
    reports += [Report(at, link) for at, link in told.select("event_at", "top_link_id").rows()]
    return sorted(reports)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
