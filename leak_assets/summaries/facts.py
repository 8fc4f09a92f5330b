"""What a summary may speak of: plain, JSON-able facts, rounded and with units.

Texts from data (ids, messages) are cut and cleaned here, once; nothing is phrased here.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import Any

import polars as pl

from leak_assets.units import SECONDS_PER_HOUR

Facts = dict[str, Any]

ID_CHARACTERS = 64
MESSAGE_CHARACTERS = 200
TOLD_CANDIDATES = 5
TOLD_SENSORS = 5

ANOMALY_UNITS = {"temperature": "°C", "pressure": "bar", "flow": "L/min"}
"""Units of the plant's parameters, as in its thresholds."""


def clean_text(text: object, limit: int = ID_CHARACTERS) -> str:
    """Return one printable line of at most `limit` characters.

    Line breaks and control characters become a space: a name can then neither end the block
    of data in a prompt nor forge a line in a log.
    """
    line = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in str(text))).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _time(value: datetime | None, zone: tzinfo) -> str | None:
    return None if value is None else value.astimezone(zone).isoformat(timespec="seconds")


def _hours(start: datetime, end: datetime) -> float:
    return round((end - start).total_seconds() / SECONDS_PER_HOUR, 1)


def _number(value: float | None, decimals: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, decimals)


def incident_facts(
    *,
    event: Mapping[str, Any],
    candidates: pl.DataFrame,
    evidence: pl.DataFrame,
    price_eur_per_m3: float,
    zone: tzinfo = UTC,
) -> Facts:
    """Return the facts of one incident revision.

    Parameters
    ----------
    event
        A row of `incidents.incident_events`.
    candidates, evidence
        Rows of `incidents.candidates` and `incidents.evidence`; only those of the revision count.
    price_eur_per_m3
        Price that the value was computed with.
    zone
        Time zone of the text; every time carries its own offset.
    """
    mine = (pl.col("incident_id") == event["incident_id"]) & (
        pl.col("revision") == event["revision"]
    )
    pipes = candidates.filter(mine).sort("rank").head(TOLD_CANDIDATES)
    sensors = evidence.filter(mine).sort("rank").head(TOLD_SENSORS)
    leak_end = event["leak_end"]
    return {
        "kind": "incident",
        "network": clean_text(event["network"]),
        "incident_id": clean_text(event["incident_id"]),
        "revision": event["revision"],
        "event": event["event"],
        "incident_type": event["incident_type"],
        "status": event["status"],
        "severity": event["severity"],
        "time_zone": str(zone),
        "leak_start": _time(event["leak_start"], zone),
        "detected_at": _time(event["detected_at"], zone),
        "last_seen_at": _time(event["last_seen_at"], zone),
        "leak_end": _time(leak_end, zone),
        "known_at": _time(event["event_at"], zone),
        "hours_from_start_to_detection": _hours(event["leak_start"], event["detected_at"]),
        "hours_from_start_to_known_at": _hours(event["leak_start"], event["event_at"]),
        "estimated_flow": {"value": _number(event["estimated_flow_m3_per_h"], 1), "unit": "m³/h"},
        "volume_lost": {"value": _number(event["volume_lost_m3"], 1), "unit": "m³"},
        "value": {"value": _number(event["value_eur"], 2), "unit": "EUR"},
        "price": {"value": price_eur_per_m3, "unit": "EUR/m³"},
        "confidence": _number(event["confidence"], 2),
        "candidate_pipes": [
            {
                "rank": row["rank"],
                "link_id": clean_text(row["link_id"]),
                "probability": _number(row["probability"], 3),
                "length": {"value": _number(row["length_m"], 1), "unit": "m"},
            }
            for row in pipes.iter_rows(named=True)
        ],
        "evidence": [_sensor(row) for row in sensors.iter_rows(named=True)],
        "method": {
            "name": clean_text(event["method"]),
            "version": clean_text(event["method_version"]),
        },
    }


def _sensor(row: Mapping[str, Any]) -> dict[str, Any]:
    is_flow = row["quantity"] in {"flow", "balance"}
    residual = row["residual_si"]
    if is_flow and residual is not None:
        residual *= SECONDS_PER_HOUR
    return {
        "rank": row["rank"],
        "sensor_id": clean_text(row["sensor_id"]),
        "quantity": row["quantity"],
        "residual": {"value": _number(residual, 2), "unit": "m³/h" if is_flow else "m"},
        "residual_z": _number(row["contribution"], 1),
    }


def anomaly_facts(anomalies: Sequence[Mapping[str, Any]], *, limit: int = 50) -> Facts:
    """Return the facts of a batch of sensor anomalies.

    Parameters
    ----------
    anomalies
        Each with `type`, `timestamp` (ISO 8601 with offset), `sensor_id`, `parameter`, `value`,
        `message`; `started_at` and `duration_s` where a drift has them.
    limit
        The newest this many are told one by one, the others as a count.

    Raises
    ------
    ValueError
        If there is none.
    """
    if not anomalies:
        msg = "a summary needs at least one anomaly"
        raise ValueError(msg)
    ordered = sorted(anomalies, key=lambda a: datetime.fromisoformat(str(a["timestamp"])))
    told = ordered[-limit:]
    return {
        "kind": "anomalies",
        "time_zone": "UTC",
        "count": len(ordered),
        "not_listed": len(ordered) - len(told),
        "first_at": _zulu(ordered[0]["timestamp"]),
        "last_at": _zulu(ordered[-1]["timestamp"]),
        "sensor_ids": sorted({clean_text(a["sensor_id"]) for a in ordered})[:limit],
        "listed": [_anomaly(a) for a in told],
    }


def halved(facts: Facts) -> Facts | None:
    """Return facts that list half as much, the others counted; None where nothing is listed.

    Of anomalies the newest stay, of a day's incidents those that cost most.
    """
    if facts["kind"] == "incident":
        return None
    listed = facts["listed"]
    keep = len(listed) // 2
    if not keep:
        return None
    kept = listed[-keep:] if facts["kind"] == "anomalies" else listed[:keep]
    return facts | {"listed": kept, "not_listed": facts["not_listed"] + len(listed) - keep}


def day_facts(
    *,
    network: str,
    day: date,
    zone: str,
    counts: Mapping[str, int],
    amounts: Mapping[str, float],
    incidents: Sequence[Mapping[str, Any]],
    limit: int = 50,
) -> Facts:
    """Return the facts of a day of a network.

    Parameters
    ----------
    day
        UTC day.
    zone
        Time zone of the text.
    counts
        Incidents `opened`, `closed` and `running` at its end.
    amounts
        `flow_m3_per_h` that runs out at its end; `volume_lost_m3` and `value_eur` of the day.
    incidents
        Those of the day, each with `incident_id`, `status`, `severity`, `leak_start`,
        `flow_m3_per_h`, `value_eur`, `top_link_id`.
    limit
        The costliest so many are told one by one, the others as a count.
    """
    ordered = sorted(incidents, key=lambda row: (-row["value_eur"], row["incident_id"]))
    return {
        "kind": "day",
        "network": clean_text(network),
        "day": day.isoformat(),
        "time_zone": zone,
        **counts,
        "flow": {"value": _number(amounts["flow_m3_per_h"], 1), "unit": "m³/h"},
        "volume_lost": {"value": _number(amounts["volume_lost_m3"], 1), "unit": "m³"},
        "value": {"value": _number(amounts["value_eur"], 2), "unit": "EUR"},
        "not_listed": max(len(ordered) - limit, 0),
        "listed": [
            {
                "incident_id": clean_text(row["incident_id"]),
                "status": row["status"],
                "severity": row["severity"],
                "leak_start": _time(row["leak_start"], UTC),
                "flow": {"value": _number(row["flow_m3_per_h"], 1), "unit": "m³/h"},
                "value": {"value": _number(row["value_eur"], 2), "unit": "EUR"},
                "first_pipe": clean_text(row["top_link_id"] or "unknown"),
            }
            for row in ordered[:limit]
        ],
    }


def _zulu(timestamp: object) -> str:
    moment = datetime.fromisoformat(str(timestamp))
    if moment.tzinfo is None:
        msg = f"timestamp {timestamp!r} has no offset; write e.g. 2025-05-28T00:01:23Z"
        raise ValueError(msg)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _anomaly(anomaly: Mapping[str, Any]) -> dict[str, Any]:
    value = anomaly.get("value")
    parameter = clean_text(anomaly.get("parameter") or "reading")
    facts = {
        "type": clean_text(anomaly["type"]),
        "timestamp": _zulu(anomaly["timestamp"]),
        "sensor_id": clean_text(anomaly["sensor_id"]),
        "parameter": parameter,
        "value": None if value is None else _number(float(value), 6),
        "unit": ANOMALY_UNITS.get(parameter, ""),
        "message": clean_text(anomaly.get("message") or "", MESSAGE_CHARACTERS),
    }
    if anomaly.get("started_at") is not None:
        facts["started_at"] = _zulu(anomaly["started_at"])
    if anomaly.get("duration_s") is not None:
        facts["duration_s"] = float(anomaly["duration_s"])
    return facts
