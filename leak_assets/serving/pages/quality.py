"""Data quality as its page shows it: each sensor's days, flags, freshness; what came in."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite
from leak_assets.serving.network_answers import QUALITY, quality_answer
from leak_assets.units import SECONDS_PER_HOUR

DAYS = 14
WELL, FAIR = 0.95, 0.7
_MOST_INCIDENTS = 12
_DELIVERIES = (
    "SELECT file_path, received_at, first_ts_utc, last_ts_utc, readings, accepted, quarantined,"
    " status FROM telemetry.ingest_ledger WHERE network = ? ORDER BY received_at DESC LIMIT 10"
)
_REFUSED = (
    "SELECT file_path, file_row, column_name, raw_text, message, received_at"
    " FROM telemetry.quarantine WHERE network = ? ORDER BY received_at DESC, file_row LIMIT 10"
)
_UNUSABLE = (
    "SELECT file_path, file_row, column_name, raw_text, message, received_at,"
    " split_part(message_id, ':', 1) AS file_sha256"
    " FROM {days} ORDER BY received_at DESC, file_row LIMIT 10"
)
_NAMES = (
    "SELECT file_sha256, arg_max(file_path, received_at) AS name FROM telemetry.ingest_ledger"
    " WHERE network = ? AND list_contains(string_split(?, ' '), file_sha256) GROUP BY file_sha256"
)
_SHOWN = 10


def quality_view(serving: Serving, _caller: Caller, site: KnownSite) -> dict[str, Any]:
    """Return what the page of data quality shows of a site."""
    answer = quality_answer(serving.store, site.name, datetime.now(UTC))
    recent = serving.store.ask_days(
        "SELECT sensor_id, quantity, day, health, reason_names, median_si FROM {days}",
        QUALITY,
        site.name,
        newest=DAYS,
    )
    days = answer["days"]
    sensors = [_sensor(row, recent) for row in answer["sensors"]]
    return {
        "sensors": sensors,
        "groups": [
            sorted((s for s in sensors if s["is_wrong"]), key=lambda s: s["health"]),
            [s for s in sensors if not s["is_wrong"]],
        ],
        "last_day": days[-1]["day"] if days else None,
        "shown_days": min(DAYS, len(days)),
        "wrong": sum(sensor["is_wrong"] for sensor in sensors),
        "fresh": answer["fresh_sensors"],
        "usable": days[-1]["usable_share"] if days else None,
        "data_incidents": answer["data_incidents"][:_MOST_INCIDENTS],
        "broken_days": answer["broken_days"][:_MOST_INCIDENTS],
        "deliveries": serving.store.ask(_DELIVERIES, [site.name]).to_dicts(),
        "refused": _refused(serving, site.name),
        "refused_reasons": answer["quarantine"],
    }


def _refused(serving: Serving, site: str) -> list[dict[str, Any]]:
    """Return the last values that nothing uses: not readable, or of the newest days impossible."""
    unusable = serving.store.ask_days(
        _UNUSABLE, "telemetry.unusable_readings", site, newest=DAYS
    ).to_dicts()
    sha256s = sorted({row.pop("file_sha256") for row in unusable})
    # Validation knows a file by its hash alone.
    named = serving.store.ask(_NAMES, [site, " ".join(sha256s)]).iter_rows() if sha256s else ()
    for sha256, name in named:
        for row in unusable:
            if row["file_path"] == f"sha256:{sha256[:16]}":
                row["message"] = row["message"].replace(row["file_path"], name)
                row["file_path"] = name
    refused = unusable + serving.store.ask(_REFUSED, [site]).to_dicts()
    return sorted(refused, key=lambda row: row["received_at"], reverse=True)[:_SHOWN]


def is_well(row: Mapping[str, Any]) -> bool:
    """Whether a sensor's day was sound: an outlier or two are no reason to go there.

    Parameters
    ----------
    row
        Of `telemetry.sensor_quality_daily`.
    """
    return not row["is_silent"] and row["health"] >= WELL


def _sensor(row: dict[str, Any], recent: pl.DataFrame) -> dict[str, Any]:
    mine = recent.filter(sensor_id=row["sensor_id"], quantity=row["quantity"]).sort("day")
    by_day = {one["day"]: one for one in mine.iter_rows(named=True)}
    is_height = row["quantity"] in ("pressure", "level")
    median = mine["median_si"][-1] if mine.height else None
    counts = {name: row[name] for name in ("suspect", "bad", "estimated", "missing") if row[name]}
    return row | {
        "is_wrong": not is_well(row),
        "reasons": [name.replace("_", " ") for name in row["reason_names"].split(",") if name],
        "counts": [(name.replace("_", " "), n) for name, n in {**counts, **row["flags"]}.items()],
        "median": median if median is None or is_height else median * SECONDS_PER_HOUR,
        "unit": "m" if is_height else "m³/h",
        "strip": [_cell(day, by_day.get(day)) for day in recent["day"].unique().sort()],
    }


def _cell(day: date, row: dict[str, Any] | None) -> dict[str, str]:
    if row is None:
        return {"tone": "unknown", "text": f"{day}: no readings"}
    health = row["health"]
    tone = "good" if health >= WELL else "fair" if health >= FAIR else "poor"
    reasons = f", {row['reason_names'].replace('_', ' ')}" if row["reason_names"] else ""
    return {"tone": tone, "text": f"{day}: {100 * health:.0f} %{reasons}"}
