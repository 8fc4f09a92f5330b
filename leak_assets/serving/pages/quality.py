"""Data quality as its page shows it: each sensor's days, flags, freshness; what came in."""

from typing import Any

import polars as pl

from leak_assets.units import SECONDS_PER_HOUR

from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite

DAYS = 14
_TABLE = "telemetry.sensor_quality_daily"
_DELIVERIES = (
    "SELECT file_path, received_at, first_ts_utc, last_ts_utc, readings, accepted, quarantined,"
    " status FROM telemetry.ingest_ledger WHERE network = ? ORDER BY received_at DESC LIMIT 10"
)
_QUARANTINE = (
    "SELECT file_path, file_row, column_name, raw_text, message, received_at"
    " FROM telemetry.quarantine WHERE network = ? ORDER BY received_at DESC, file_row LIMIT 10"
)
_FLAGS = (
    "suspect", "bad", "estimated", "missing", "outlier", "gap", "range", "rate_of_change",
    "flat_line", "duplicate_time", "time_inconsistent", "reverse_flow", "counter_rollover",
    "unit_suspect",
)  # fmt: skip


def quality_view(serving: Serving, site: KnownSite) -> dict[str, Any]:
    """Return what the page of data quality shows of a site."""
    days = serving.rows.days(_TABLE, [site.name])[:DAYS]
    frames = [serving.rows.rows(_TABLE, *one) for one in days]
    frame = pl.concat(frames) if frames else pl.DataFrame()
    sensors = _sensors(frame, days[0][0]) if frames else []
    return {
        "sensors": sensors,
        "last_day": days[0][0] if days else None,
        "shown_days": [day for day, _ in reversed(days)],
        "flagged": sum(bool(s["reasons"]) or s["is_silent"] for s in sensors),
        "usable": _share(frame, days[0][0]) if frames else None,
        "deliveries": serving.store.ask(_DELIVERIES, [site.name]).to_dicts(),
        "refused": serving.store.ask(_QUARANTINE, [site.name]).to_dicts(),
    }


def _sensors(frame: pl.DataFrame, last_day: Any) -> list[dict[str, Any]]:
    """Return the sensors, those with something wrong first."""
    healths: dict[tuple[str, str], dict[Any, dict[str, Any]]] = {}
    for row in frame.iter_rows(named=True):
        healths.setdefault((row["sensor_id"], row["quantity"]), {})[row["day"]] = row
    days = frame["day"].unique().sort().to_list()
    found = []
    for (sensor, quantity), by_day in healths.items():
        row = by_day[max(by_day)]
        found.append(
            row
            | {
                "sensor_id": sensor,
                "quantity": quantity,
                "is_old": row["day"] != last_day,
                "reason_list": [r.replace("_", " ") for r in row["reason_names"].split(",") if r],
                "flags": [(f.replace("_", " "), row[f]) for f in _FLAGS if row[f]],
                "median": _in_units(row["median_si"], quantity),
                "unit": "m" if quantity in ("pressure", "level") else "m³/h",
                "strip": [_cell(day, by_day.get(day)) for day in days],
            }
        )
    return sorted(
        found, key=lambda s: (not (s["reasons"] or s["is_silent"]), s["health"], s["quantity"],
                              _natural(s["sensor_id"])),
    )  # fmt: skip


def _cell(day: Any, row: dict[str, Any] | None) -> dict[str, str]:
    if row is None:
        return {"tone": "unknown", "text": f"{day}: no readings"}
    health = row["health"]
    tone = "good" if health >= 0.95 else "fair" if health >= 0.7 else "poor"
    reasons = f", {row['reason_names'].replace('_', ' ')}" if row["reason_names"] else ""
    return {"tone": tone, "text": f"{day}: {100 * health:.0f} %{reasons}"}


def _natural(name: str) -> tuple[int, str]:
    digits = "".join(c for c in name if c.isdigit())
    return int(digits or 0), name


def _in_units(value: float | None, quantity: str) -> float | None:
    if value is None or quantity in ("pressure", "level"):
        return value
    return value * SECONDS_PER_HOUR


def _share(frame: pl.DataFrame, day: Any) -> float | None:
    rows = frame.filter(pl.col("day") == day)
    steps = rows["steps"].sum()
    return rows["usable"].sum() / steps if steps else None
