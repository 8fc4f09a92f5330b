"""A treatment plant as its page shows it: newest values, anomalies, summary, whether data come."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from leak_assets.plant.profile import UNITS
from leak_assets.reports.charts import draw_sparkline
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite
from leak_assets.serving.plant_answers import metrics, newest_anomalies, status, summary_answer

_MOST_POINTS, _SHOWN_ANOMALIES = 60, 50
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
    return {
        "state": status(serving.rows, [site.name], serving.settings, now),
        "counts": metrics(serving.rows, [site.name]),
        "text": summary_answer(serving.rows, [site.name]),
        "anomalies": anomalies,
        "sensors": _sensors(serving, site.name, {a.sensor_id for a in anomalies[:10]}),
        "parameters": list(UNITS),
        "units": UNITS,
    }


def _sensors(serving: Serving, site: str, alarmed: set[str]) -> list[dict[str, Any]]:
    """Return each sensor's newest value of each parameter, with its last stored minutes."""
    found: dict[str, dict[str, Any]] = {}

    def put(
        sensor: str, parameter: str, at: datetime, value: float, spark: tuple[str, str]
    ) -> None:
        one = found.setdefault(
            sensor,
            {"sensor_id": sensor, "is_alarmed": sensor in alarmed, "at": at, "values": {}},
        )
        one["at"] = max(one["at"], at)
        one["values"][parameter] = {"value": value, "spark": spark, "at": at}

    stored = _recent(serving, site)
    for (sensor, parameter), rows in stored.group_by("sensor_id", "parameter", maintain_order=True):
        thinned = rows.gather_every(max(1, rows.height // _MOST_POINTS))["value"].to_list()
        low = min((v for v in thinned if v is not None), default=0.0)
        # From the least value on: a plant's values move little beside their size.
        spark = draw_sparkline([None if v is None else v - low for v in thinned])
        put(str(sensor), str(parameter), rows["ts_utc"][-1], rows["value"][-1], spark)
    live = serving.warehouse.read("plant.live_values", {"site": site})
    for row in () if live is None else live.iter_rows(named=True):
        known = found.get(row["sensor_id"], {}).get("values", {}).get(row["parameter"])
        if known is None or row["ts_utc"] > known["at"]:
            spark = known["spark"] if known else ("", "")
            put(row["sensor_id"], row["parameter"], row["ts_utc"], row["value"], spark)
    return sorted(found.values(), key=lambda s: (not s["is_alarmed"], s["sensor_id"]))


def _recent(serving: Serving, site: str) -> pl.DataFrame:
    return serving.store.ask_days(_RECENT, _TABLE, site, newest=1)
