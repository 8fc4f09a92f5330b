"""A plant's newest rows: what the runs of the days made, and what the live watch noticed since.

The same rule as the view `plant.current_anomalies`, from single partitions: no query is needed.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import polars as pl

from leak_assets.telemetry.follow import ORDER_SLACK
from leak_assets.warehouse.schemas.plant import ANOMALIES, SUMMARIES

from .newest import NewestRows

ALIVE_S = 30.0
"""A watch writes every ten seconds; one that did not for so long is gone."""


def newest_anomaly_rows(rows: NewestRows, sites: Sequence[str], limit: int) -> pl.DataFrame:
    """Return the newest anomalies, each as it is known last; columns of `plant.anomalies`."""
    # A dropout that lasts over midnight is there twice.
    stored = rows.newest("plant.anomalies", sites, by="ts_utc", limit=2 * limit)
    live = [_not_judged(rows, day, site) for day, site in rows.days("plant.live_anomalies", sites)]
    columns = ANOMALIES.polars_schema.names()
    frame = pl.concat([stored, *(one.select(columns) for one in live)])
    known_last = frame.sort(pl.col("duration_s").is_null(), maintain_order=True).unique(
        ["site", "anomaly_id"], keep="first", maintain_order=True
    )
    return known_last.sort("ts_utc", "anomaly_id", descending=[True, False]).head(limit)


def newest_summary_rows(rows: NewestRows, sites: Sequence[str], limit: int) -> pl.DataFrame:
    """Return the newest texts; a live one counts until the day's run has told that time."""
    columns = SUMMARIES.polars_schema.names()
    frames = [rows.newest("plant.summaries", sites, by="first_at", limit=limit)]
    for day, site in rows.days("plant.live_summaries", sites):
        told = rows.rows("plant.summaries", day, site).get_column("last_at").max()
        live = rows.rows("plant.live_summaries", day, site)
        if isinstance(told, datetime):
            live = live.filter(pl.col("last_at") > told)
        frames.append(live.select(columns))
    return pl.concat(frames).sort("first_at", descending=True, maintain_order=True).head(limit)


def last_reading(rows: NewestRows, sites: Sequence[str]) -> datetime | None:
    """Return the time of the newest reading, by device clock."""
    found = [at for site in sites if (at := _live(rows, site, "newest_reading_at")) is not None]
    for day, site in rows.days("plant.readings", sites)[: len(sites)]:
        # From the record alone: a day of a plant has millions of readings.
        record = rows.warehouse.record("plant.readings", {"date": day.isoformat(), "site": site})
        if record is not None and record.last_ts:
            found.append(datetime.fromisoformat(record.last_ts).astimezone(UTC))
    return max(found, default=None)


def is_watched(rows: NewestRows, sites: Sequence[str], now: datetime) -> bool:
    """Whether a live watch of one of the plants is running."""
    alive = [at for site in sites if (at := _live(rows, site, "alive_at")) is not None]
    return any((now - at).total_seconds() <= ALIVE_S for at in alive)


def redis_of_watches(rows: NewestRows, sites: Sequence[str], now: datetime) -> dict[str, str]:
    """Return by plant what keeps Redis from answering its live watch, empty where it answers.

    A plant whose watch uses none, or does not run, is not there.
    """
    found = {site: _state(rows, site) for site in sites if is_watched(rows, [site], now)}
    return {
        site: said
        for site, state in found.items()
        if state is not None and (said := state.item(-1, "redis")) is not None
    }


def _live(rows: NewestRows, site: str, column: str) -> datetime | None:
    state = _state(rows, site)
    at = None if state is None else state.item(-1, column)
    return at.astimezone(UTC) if isinstance(at, datetime) else None


def _state(rows: NewestRows, site: str) -> pl.DataFrame | None:
    state = rows.warehouse.read("plant.live_states", {"site": site})
    return None if state is None or state.is_empty() else state


def _not_judged(rows: NewestRows, day: date, site: str) -> pl.DataFrame:
    """Return the live anomalies of a day that no run of it, or of a later day, has judged."""
    live = rows.rows("plant.live_anomalies", day, site)
    judged = [
        at
        for later, _ in rows.days("plant.rule_states", [site])
        if later >= day
        and isinstance(
            at := rows.rows("plant.rule_states", later, site).get_column("received_at").max(),
            datetime,
        )
    ]
    if not judged:
        return live
    return live.filter(pl.col("noticed_at") >= max(judged) - ORDER_SLACK)
