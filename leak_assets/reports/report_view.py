"""What the report's page shows, from the frames of `ReportData`: plain, rounded, JSON-able.

No HTML and no style here.
"""

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.features.inflow import inflow_residual
from leak_assets.units import SECONDS_PER_HOUR

from .figures import current_state, link_segments
from .report_data import KnownLeak, ReportData

_SHOWN_PRESSURES = 4
_RAW_POINTS = 2500
_STEP = timedelta(minutes=5)


def report_view(data: ReportData) -> dict[str, Any]:
    """Return the values that the page's template names."""
    state = current_state(data.events)
    incidents = [
        _incident(number, row, data)
        for number, row in enumerate(state.iter_rows(named=True), start=1)
    ]
    found = {leak.incident_id: leak for leak in data.truth or () if leak.incident_id}
    known = {i["id"] for i in incidents}
    for incident in incidents:
        incident["truth"] = found.get(incident["id"])
    return {
        "town": data.town,
        "network": data.network,
        "period": f"{_minute(data.period_start)} to {_minute(data.period_end)} UTC",
        "generated_at": _minute(data.generated_at),
        "price": f"{data.price_eur_per_m3:.2f}",
        "has_truth": data.truth is not None,
        "incidents": incidents,
        "missed": [t for t in data.truth or () if t.incident_id not in known],
        "tiles": _tiles(data, state, incidents),
        "models": _models(data.evaluations),
        "notes": _notes(data),
        "has_models": bool(data.models),
        "audit": list(data.audit),
        "minute": _minute,
        "page_data": {
            "incidents": [
                {
                    key: incident[key]
                    for key in ("id", "number", "start_s", "end_s", "candidates", "evidence")
                }
                for incident in incidents
            ],
            "truth": [_true_leak(leak, data) for leak in data.truth or ()],
            "network": _network(data),
            "signals": _signals(data),
            "period_s": [_seconds(data.period_start), _seconds(data.period_end)],
        },
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _incident(number: int, row: dict[str, Any], data: ReportData) -> dict[str, Any]:
    mine = (pl.col("incident_id") == row["incident_id"]) & (pl.col("revision") == row["revision"])
    written = data.summaries.filter(pl.col("incident_id") == row["incident_id"]).sort("revision")
    hours = (row["detected_at"] - row["leak_start"]).total_seconds() / 3600
    return row | {
        "id": row["incident_id"],
        "number": number,
        "start_s": _seconds(row["leak_start"]),
        "end_s": _seconds(row["leak_end"] or data.period_end),
        "hours_to_detection": f"{hours:.1f}",
        "candidates": [
            {"link": c["link_id"], "share": round(c["probability"], 4), "length_m": c["length_m"]}
            for c in data.candidates.filter(mine).sort("rank").iter_rows(named=True)
        ],
        "evidence": [_sensor(e) for e in data.evidence.filter(mine).sort("rank").to_dicts()],
        "text": None if written.is_empty() else written.row(-1, named=True),
    }


def _sensor(row: dict[str, Any]) -> dict[str, Any]:
    is_flow = row["quantity"] in {"flow", "balance"}
    residual = row["residual_si"]
    return {
        "sensor": row["sensor_id"],
        "z": round(row["contribution"], 2),
        "residual": None
        if residual is None
        else round(residual * SECONDS_PER_HOUR if is_flow else residual, 2),
        "unit": "m³/h" if is_flow else "m",
    }


def _true_leak(leak: KnownLeak, data: ReportData) -> dict[str, Any]:
    return {
        "link": leak.link_id,
        "start_s": _seconds(leak.leak_start),
        "end_s": _seconds(leak.leak_end or data.period_end),
    }


def _tiles(
    data: ReportData, state: pl.DataFrame, incidents: list[dict[str, Any]]
) -> list[tuple[str, str, str]]:
    """Headline numbers: (value, what it is, remark)."""
    still_open = state.filter(pl.col("status") != "closed")
    tiles = [
        (str(state.height), "incidents", f"{still_open.height} open"),
        (
            f"{still_open['estimated_flow_m3_per_h'].sum():,.1f} m³/h",
            "leaking now",
            "estimate of the open incidents",
        ),
        (f"{state['volume_lost_m3'].sum():,.0f} m³", "water lost", "up to now"),
        (
            f"€ {state['value_eur'].sum():,.0f}",
            "value",
            f"at € {data.price_eur_per_m3:.2f} per m³",
        ),
    ]
    if data.truth is not None:
        hits = [leak for leak in data.truth if leak.incident_id is not None]
        false_alarms = len(incidents) - len({leak.incident_id for leak in hits})
        away = [leak.distance_m for leak in hits if leak.distance_m is not None]
        tiles.append(
            (
                f"{len(hits)} of {len(data.truth)}",
                "true leaks found",
                f"{false_alarms} false {'alarm' if false_alarms == 1 else 'alarms'}"
                + (f", {sum(away) / len(away):,.0f} m away" if away else ""),
            )
        )
    return tiles


def _notes(data: ReportData) -> list[str]:
    """Return what is missing and why: an empty chart must not look like a quiet network."""
    notes = []
    if data.residuals.is_empty():
        notes.append(
            "No residuals in this period: the network has no calibration yet, or no reference days."
        )
    elif data.scores.is_empty():
        notes.append(
            "No window was scored in this period."
            if data.models
            else "No window was scored in this period: no model is in use."
        )
    return notes


def _models(evaluations: pl.DataFrame) -> list[dict[str, Any]]:
    """One block per model version and split, with its metrics."""
    return [
        {"name": group[0], "version": group[1], "split": group[2], "rows": rows.to_dicts()}
        for group, rows in evaluations.sort("model", "version", "split", "metric").group_by(
            "model", "version", "split", maintain_order=True
        )
    ]


def _network(data: ReportData) -> dict[str, Any]:
    kinds = dict(data.links.select("link_id", "link_type").iter_rows())
    segments = link_segments(data.nodes, data.links)
    return {
        # y upwards in EPANET, downwards on the page.
        "links": [
            [link, kinds[link], *(round(v, 2) for v in (x1, -y1, x2, -y2))]
            for link, ((x1, y1), (x2, y2)) in segments.items()
        ],
        "sensors": [
            [s["sensor_id"], s["quantity"], round(s["x"], 2), round(-s["y"], 2)]
            for s in data.sensors.iter_rows(named=True)
        ],
        "sources": [
            [n["node_id"], n["node_type"], round(n["x"], 2), round(-n["y"], 2)]
            for n in data.nodes.filter(pl.col("node_type") != "junction").iter_rows(named=True)
        ],
    }


def _signals(data: ReportData) -> dict[str, Any]:
    scores = data.scores.sort("window_end")
    span = data.period_end - data.period_start
    raw = _STEP * max(1, -(-span // (_STEP * _RAW_POINTS)))
    inflow = inflow_residual(data.residuals).with_columns(
        v=pl.col("residual_si") * SECONDS_PER_HOUR
    )
    usable = data.residuals.filter(
        (pl.col("mask") == 1)
        & pl.col("residual_si").is_finite()
        & (pl.col("quantity") == "pressure")
    ).with_columns(v=pl.col("residual_si"))
    return {
        "score": {
            "t": [_seconds(t) for t in scores["window_end"]],
            "v": scores["anomaly_score"].round(3).to_list(),
            "alarm": scores["is_alarm"].to_list(),
            "threshold": scores["threshold"].round(3).to_list(),
        },
        "inflow": _means(inflow, raw, 2),
        "inflow_mean": _means(inflow, max(raw, timedelta(hours=1)), 2),
        "pressures": [
            {"name": s}
            | _means(usable.filter(pl.col("sensor_id") == s), max(raw, timedelta(hours=1)), 3)
            for s in _telling_sensors(data, usable)
        ],
    }


def _telling_sensors(data: ReportData, usable: pl.DataFrame) -> list[str]:
    """Pressure sensors that the incidents rest on most; any where there is no incident."""
    current = current_state(data.events).select("incident_id", "revision")
    ranked = (
        data.evidence.join(current, on=["incident_id", "revision"], how="semi")
        .filter(pl.col("quantity") == "pressure")
        .sort("rank", "incident_id")["sensor_id"]
        .unique(maintain_order=True)
        .to_list()
    )
    return (ranked or usable["sensor_id"].unique().sort().to_list())[:_SHOWN_PRESSURES]


def _means(frame: pl.DataFrame, every: timedelta, decimals: int) -> dict[str, Any]:
    """Return the means of `v` over equal stretches of time; empty ones are left out."""
    means = (
        frame.group_by(pl.col("ts_utc").dt.truncate(every)).agg(pl.col("v").mean()).sort("ts_utc")
    )
    return {
        "step_s": int(every.total_seconds()),
        "t": [_seconds(t) for t in means["ts_utc"]],
        "v": means["v"].round(decimals).to_list(),
    }
