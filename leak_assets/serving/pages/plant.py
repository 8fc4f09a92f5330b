"""A treatment plant as its page shows it: newest values, anomalies, summary, whether data come."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from leak_assets.plant.live_store import SHOWN
from leak_assets.plant.profile import UNITS
from leak_assets.reports.charts import draw_sparkline
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite
from leak_assets.serving.plant_answers import (
    Anomaly,
    metrics,
    newest_anomalies,
    status,
    summary_answer,
)

_FEWEST_POINTS, _MOST_POINTS, _SHOWN_ANOMALIES = 3, 60, 50
_TABLE = "plant.readings"
_RECENT = """
    SELECT sensor_id, parameter, ts_utc, value FROM {days}
    WHERE ts_utc > (SELECT max(ts_utc) FROM {days}) - INTERVAL 10 MINUTE
    ORDER BY sensor_id, parameter, ts_utc
"""


def plant_view(serving: Serving, _caller: Caller, site: KnownSite) -> dict[str, Any]:
    """Return what the page of a plant shows."""
    now = datetime.now(UTC)
    anomalies = newest_anomalies(serving.rows, [site.name], _SHOWN_ANOMALIES)
    state = status(serving.rows, [site.name], serving.settings, now)
    last = state.last_reading_time
    is_silent = last is not None and not state.data_stream.healthy
    return {
        "state": state,
        "silent_s": (now - last).total_seconds() if is_silent and last else None,
        "counts": metrics(serving.rows, [site.name]),
        "text": summary_answer(serving.rows, [site.name]),
        "anomalies": anomalies,
        "sensors": _sensors(serving, site.name, _alarmed(anomalies, last)),
        "parameters": list(UNITS),
        "units": UNITS,
    }


def _alarmed(anomalies: Sequence[Anomaly], last: datetime | None) -> set[str]:
    """Return the sensors of which something was noticed in the minutes that are shown."""
    return {a.sensor_id for a in anomalies if last is None or a.timestamp > last - SHOWN}


def _sensors(serving: Serving, site: str, alarmed: set[str]) -> list[dict[str, Any]]:
    """Return each sensor's newest value of each parameter, with its last minutes."""
    at = pl.col("ts_utc")
    rows = _known(serving, site).with_columns(is_shown=at > at.max() - SHOWN)
    found: dict[str, dict[str, Any]] = {}
    for (sensor, parameter), series in rows.group_by("sensor_id", "parameter", maintain_order=True):
        last = series.row(-1, named=True)
        one = found.setdefault(
            str(sensor),
            {"sensor_id": sensor, "is_alarmed": sensor in alarmed, "at": last["ts_utc"],
             "values": {}},
        )  # fmt: skip
        one["at"] = max(one["at"], last["ts_utc"])
        shown = _spark(series.filter("is_shown"))
        one["values"][parameter] = {"value": last["value"], "spark": shown}
    return sorted(found.values(), key=lambda s: (not s["is_alarmed"], s["sensor_id"]))


def _known(serving: Serving, site: str) -> pl.DataFrame:
    """Return the last stored minutes, and what the watch has judged since."""
    stored = serving.store.ask_days(_RECENT, _TABLE, site, newest=1)
    frames = [stored]
    for table in ("plant.live_minutes", "plant.live_values"):
        live = serving.warehouse.read(table, {"site": site})
        frames += [] if live is None else [live.select(stored.columns)]
    key = ["sensor_id", "parameter", "ts_utc"]
    return pl.concat(frames).unique(key, keep="first").sort(key)


def _spark(rows: pl.DataFrame) -> tuple[str, str]:
    if rows.height < _FEWEST_POINTS:
        return "", ""
    thinned = rows.gather_every(max(1, rows.height // _MOST_POINTS))["value"].to_list()
    low = min((v for v in thinned if v is not None), default=0.0)
    # From the least value on: a plant's values move little beside their size.
    return draw_sparkline([None if v is None else v - low for v in thinned])
