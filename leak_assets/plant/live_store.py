"""What the live watch of a plant keeps: anomalies, newest values, and where to go on from.

One process writes here. Anomalies are written before the state that knows them: killed in
between, the watch judges the same readings again and finds the same anomalies, kept by name.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from leak_assets.telemetry.follow import ORDER_SLACK, Seen
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.plant_live import (
    LIVE_ANOMALIES,
    LIVE_MINUTES,
    LIVE_STATES,
    LIVE_VALUES,
)

from .live import SLOT, LiveState
from .rules import PlantState
from .state import state_as_plain, state_of_plain, state_of_row

_ANOMALIES, _STATES, _VALUES, _MINUTES = (
    table.full_name for table in (LIVE_ANOMALIES, LIVE_STATES, LIVE_VALUES, LIVE_MINUTES)
)
_RULES = "plant.rule_states"
_SERIES = ["parameter", "sensor_id"]
SHOWN = timedelta(minutes=10)
_MINUTES_EVERY = timedelta(seconds=10)


@dataclass(frozen=True)
class Doing:
    """What a watch is at, for monitoring; counted since it was started.

    Parameters
    ----------
    began_at
        When that was.
    anomalies
        Noticed, a dropout that began and ended as two.
    untold
        Anomalies that no text tells of yet.
    llm_summaries, template_summaries
        Texts by who wrote them.
    failures
        Looks and texts that failed and were repeated.
    waiting
        Deliveries that no run has taken.
    oldest_waiting_at
        Receipt of the oldest of them.
    redis
        What keeps Redis from answering, empty where it answers; None where none is used.
    """

    began_at: datetime
    anomalies: int = 0
    untold: int = 0
    llm_summaries: int = 0
    template_summaries: int = 0
    failures: int = 0
    waiting: int = 0
    oldest_waiting_at: datetime | None = None
    redis: str | None = None


class LiveStore:
    """The live tables of a plant.

    Parameters
    ----------
    warehouse
        The lake.
    site
        Name of the plant.
    """

    def __init__(self, warehouse: Warehouse, site: str) -> None:
        self._warehouse = warehouse
        self._site = site
        self._days: dict[date, pl.DataFrame] = {}
        for partition in warehouse.partitions(_ANOMALIES, site=site):
            frame = warehouse.read(_ANOMALIES, partition)
            if frame is not None:
                self._days[date.fromisoformat(partition["date"])] = frame
        values = warehouse.read(_VALUES, {"site": site})
        self._values = LIVE_VALUES.empty() if values is None else values
        minutes = warehouse.read(_MINUTES, {"site": site})
        self._minutes = LIVE_MINUTES.empty() if minutes is None else minutes
        self._minutes_at: datetime | None = None
        self._judged_by_runs: dict[date, tuple[int, datetime | None]] = {}

    def state(self) -> LiveState:
        """Return where to go on from: where the watch ended, or a run of the day that went on."""
        own = self._own_state()
        days = sorted(self._warehouse.days(_RULES, self._site))
        if not days:
            return own
        rows = self._warehouse.read(_RULES, {"date": days[-1], "site": self._site})
        if rows is None or rows.is_empty():
            return own
        received_at, rules = rows.item(-1, "received_at"), state_of_row(rows)
        is_ahead = own.seen.through is None or (
            received_at is not None and received_at > own.seen.through
        )
        if rules is None or received_at is None or not is_ahead:
            return own
        newest_at = _newest_at(rules)
        lag_s = 0.0 if newest_at is None else (received_at - newest_at).total_seconds()
        return LiveState(
            rules=rules,
            seen=Seen(received_at),
            newest_at=newest_at,
            lag_s=max(lag_s, 0.0),
            judged=own.judged,
            not_judged=own.not_judged,
        )

    def untold(self, since: datetime | None) -> pl.DataFrame:
        """Return the anomalies that were noticed after some time, in that order."""
        frame = pl.concat([LIVE_ANOMALIES.empty(), *self._days.values()])
        if since is not None:
            frame = frame.filter(pl.col("noticed_at") > since)
        return frame.sort("noticed_at", "ts_utc", "anomaly_id")

    def write(
        self,
        anomalies: pl.DataFrame,
        recent: pl.DataFrame,
        state: LiveState,
        now: datetime,
        doing: Doing,
    ) -> None:
        """Keep anomalies, then values and state.

        Parameters
        ----------
        anomalies
            Columns of `plant.anomalies`.
        recent
            Readings in the order of time: `parameter, sensor_id, ts_utc, value`.
        doing
            Stands beside the state.

        Raises
        ------
        OSError
            The disk refuses; to be written again, as a whole.
        """
        new = anomalies.with_columns(noticed_at=pl.lit(now, pl.Datetime("us", "UTC")))
        new = new.select(LIVE_ANOMALIES.polars_schema.names())
        for (day,), rows in new.group_by(pl.col("ts_utc").dt.date(), maintain_order=True):
            self._write_day(day, pl.concat([self._day(day), rows]))
        if recent.height:
            own = recent.with_columns(site=pl.lit(self._site)).select(self._values.columns)
            both = pl.concat([self._values, own])
            values = both.unique(_SERIES, keep="last", maintain_order=True).sort(_SERIES)
            self._warehouse.write(_VALUES, {"site": self._site}, values)
            self._values = values
            self._write_minutes(own, now)
        self._warehouse.write(_STATES, {"site": self._site}, _row(state, self._site, now, doing))

    def forget_judged(self) -> int:
        """Remove the anomalies that runs of their days have judged; return their number."""
        removed = 0
        for day, frame in list(self._days.items()):
            received_at = self._judged_by(day)
            if received_at is None:
                continue
            kept = frame.filter(pl.col("noticed_at") >= received_at - ORDER_SLACK)
            if kept.height == frame.height:
                continue
            removed += frame.height - kept.height
            if kept.is_empty():
                self._warehouse.remove(_ANOMALIES, date=day.isoformat(), site=self._site)
                del self._days[day]
            else:
                self._write_day(day, kept)
        return removed

    def _write_minutes(self, new: pl.DataFrame, now: datetime) -> None:
        at = pl.col("ts_utc")
        slot = [*_SERIES, at.dt.truncate(SLOT)]
        both = pl.concat([self._minutes, new]).unique(slot, keep="last", maintain_order=True)
        self._minutes = both.filter(at > at.max() - SHOWN)
        if self._minutes_at is None or now - self._minutes_at >= _MINUTES_EVERY:
            rows = self._minutes.sort(*_SERIES, at)
            self._warehouse.write(_MINUTES, {"site": self._site}, rows)
            self._minutes_at = now

    def _day(self, day: date) -> pl.DataFrame:
        return self._days.get(day, LIVE_ANOMALIES.empty())

    def _write_day(self, day: date, rows: pl.DataFrame) -> None:
        frame = rows.unique("anomaly_id", keep="last", maintain_order=True)
        frame = frame.sort("ts_utc", "anomaly_id")
        self._warehouse.write(_ANOMALIES, {"date": day.isoformat(), "site": self._site}, frame)
        self._days[day] = frame

    def _judged_by(self, day: date) -> datetime | None:
        """Return the receipt of the last reading that the run of a day judged."""
        partition = {"date": day.isoformat(), "site": self._site}
        try:
            changed_ns = self._warehouse.path(_RULES, partition).stat().st_mtime_ns
        except FileNotFoundError:
            return None
        version, received_at = self._judged_by_runs.get(day, (0, None))
        if version != changed_ns:
            rows = self._warehouse.read(_RULES, partition)
            received_at = None if rows is None else rows.item(-1, "received_at")
            self._judged_by_runs[day] = changed_ns, received_at
        return received_at

    def _own_state(self) -> LiveState:
        row = self._warehouse.read(_STATES, {"site": self._site})
        if row is None or row.is_empty():
            return LiveState()
        said = json.loads(row.item(-1, "state"))
        recent = {key: datetime.fromisoformat(at) for key, at in said["recent"].items()}
        return LiveState(
            rules=state_of_plain(said["rules"]),
            seen=Seen(row.item(-1, "received_at"), recent),
            newest_at=row.item(-1, "newest_reading_at"),
            lag_s=row.item(-1, "lag_s") or 0.0,
            judged=row.item(-1, "judged_readings"),
            not_judged=json.loads(row.item(-1, "not_judged")),
        )


def _row(state: LiveState, site: str, now: datetime, doing: Doing) -> pl.DataFrame:
    said = {
        "rules": state_as_plain(state.rules),
        "recent": {key: at.isoformat() for key, at in sorted(state.seen.recent.items())},
    }
    row = {
        "site": site,
        "alive_at": now,
        "received_at": state.seen.through,
        "newest_reading_at": state.newest_at,
        "judged_readings": state.judged,
        "not_judged": json.dumps(dict(sorted(state.not_judged.items()))),
        "state": json.dumps(said),
        "lag_s": state.lag_s,
        **asdict(doing),
    }
    return pl.DataFrame([row], schema=LIVE_STATES.polars_schema)


def _newest_at(rules: PlantState) -> datetime | None:
    last: Mapping[str, int] = rules.last_heard_us
    if not last:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=max(last.values()))
