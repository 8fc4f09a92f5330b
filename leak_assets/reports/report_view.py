"""What the report's page shows, from the frames of `ReportData`: texts, bars, charts, the map.

No HTML and no style here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.features.inflow import inflow_residual
from leak_assets.units import SECONDS_PER_HOUR

from .charts import Chart, Series, Span, draw_chart
from .figures import current_state
from .network_map import HEATS, NetworkMap, draw_map
from .report_data import ReportData

_SHOWN_PRESSURES = 4
_PRESSURE_TONES = ("measured", "second", "third", "fourth")
_RAW_POINTS = 2500
_STEP = timedelta(minutes=5)
_CLOCK = "UTC"


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
        "map": _map(data, incidents),
        "charts": _charts(data, incidents),
        "chosen": incidents[-1]["id"] if incidents else None,
    }


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _incident(number: int, row: dict[str, Any], data: ReportData) -> dict[str, Any]:
    mine = (pl.col("incident_id") == row["incident_id"]) & (pl.col("revision") == row["revision"])
    written = data.summaries.filter(pl.col("incident_id") == row["incident_id"]).sort("revision")
    hours = (row["detected_at"] - row["leak_start"]).total_seconds() / 3600
    return row | {
        "id": row["incident_id"],
        "number": number,
        "end": row["leak_end"] or data.period_end,
        "hours_to_detection": f"{hours:.1f}",
        "candidates": candidate_bars(data.candidates.filter(mine).sort("rank").to_dicts()),
        "evidence": evidence_bars(data.evidence.filter(mine).sort("rank").to_dicts()),
        "text": None if written.is_empty() else written.row(-1, named=True),
    }


def candidate_bars(candidates: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return candidate pipes with the width and heat of their bars, likeliest first.

    Parameters
    ----------
    candidates
        Rows with `link_id`, `probability` and `length_m`.
    """
    most = max((c["probability"] for c in candidates), default=0.0) or 1.0
    return [
        {
            "link_id": c["link_id"],
            "probability": c["probability"],
            "length_m": c["length_m"],
            "width": round(100 * c["probability"] / most, 1),
            "heat": min(HEATS, 1 + int(c["probability"] / most * (HEATS - 1) + 0.5)),
        }
        for c in candidates
    ]


def evidence_bars(evidence: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what sensors say as bars to both sides of the middle, strongest first.

    Parameters
    ----------
    evidence
        Rows with `sensor_id`, `quantity`, `contribution` and `residual_si`.
    """
    most = max((abs(e["contribution"]) for e in evidence), default=0.0) or 1.0
    found = []
    for row in evidence:
        z, residual = row["contribution"], row["residual_si"]
        is_flow = row["quantity"] in {"flow", "balance"}
        shown = None if residual is None else residual * (SECONDS_PER_HOUR if is_flow else 1.0)
        unit = "m³/h" if is_flow else "m"
        width = round(50 * abs(z) / most, 1)
        found.append(
            {
                "sensor_id": row["sensor_id"],
                "quantity": row["quantity"],
                "z": z,
                "residual": "" if shown is None else f"{shown:+,.2f} {unit}".replace("-", "−"),
                "left": 50 - width if z < 0 else 50,
                "width": width,
                "side": "below" if z < 0 else "above",
            }
        )
    return found


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


def _map(data: ReportData, incidents: Sequence[dict[str, Any]]) -> NetworkMap:
    return draw_map(
        data.nodes,
        data.links,
        data.sensors,
        candidates={incident["id"]: incident["candidates"] for incident in incidents},
        truth=[
            (leak.link_id, f"true leak at {leak.link_id}\nfrom {_minute(leak.leak_start)} UTC")
            for leak in data.truth or ()
        ],
    )


def _charts(data: ReportData, incidents: Sequence[dict[str, Any]]) -> list[Chart]:
    """Return score, inflow and telling pressures over the period, incidents behind."""
    marked = [
        *(
            Span(i["leak_start"], i["end"], "incident", f"incident {i['number']}")
            for i in incidents
        ),
        *(
            Span(leak.leak_start, leak.leak_end or data.period_end, "truth", leak.link_id)
            for leak in data.truth or ()
        ),
    ]
    frame: dict[str, Any] = {
        "zone": _CLOCK,
        "span": (data.period_start, data.period_end),
        "marked": marked,
    }
    scores = data.scores.sort("window_end")
    alarms = scores.filter(pl.col("is_alarm"))
    ends = scores["window_end"].to_list()
    charts = [
        draw_chart(
            "Anomaly score",
            "0 to 1, windows of 3 h",
            [
                Series(name="score", times=ends, values=scores["anomaly_score"].to_list()),
                Series(name="threshold", times=ends, values=scores["threshold"].to_list(),
                       tone="limit"),
                Series(name="alarm", times=alarms["window_end"].to_list(),
                       values=alarms["anomaly_score"].to_list(), kind="dots", tone="alarm"),
            ],
            y_range=(-0.03, 1.03),
            **frame,
        ),
        _inflow_chart(data, frame),
    ]  # fmt: skip
    if pressures := _pressure_series(data):
        charts.append(
            draw_chart(
                "Pressure against expectation", "m, mean of 1 h", pressures, from_zero=True, **frame
            )
        )
    return charts


def _inflow_chart(data: ReportData, frame: dict[str, Any]) -> Chart:
    span = data.period_end - data.period_start
    raw = _STEP * max(1, -(-span // (_STEP * _RAW_POINTS)))
    inflow = inflow_residual(data.residuals).with_columns(
        v=pl.col("residual_si") * SECONDS_PER_HOUR
    )
    hourly = max(raw, timedelta(hours=1))
    return draw_chart(
        "Inflow beyond expectation",
        "m³/h",
        [
            _means("residual", inflow, raw, tone="soft"),
            _means("mean of 1 h", inflow, hourly),
        ],
        from_zero=True,
        **frame,
    )


def _pressure_series(data: ReportData) -> list[Series]:
    usable = data.residuals.filter(
        (pl.col("mask") == 1)
        & pl.col("residual_si").is_finite()
        & (pl.col("quantity") == "pressure")
    ).with_columns(v=pl.col("residual_si"))
    span = data.period_end - data.period_start
    every = max(timedelta(hours=1), _STEP * -(-span // (_STEP * _RAW_POINTS)))
    return [
        _means(sensor, usable.filter(pl.col("sensor_id") == sensor), every, tone=tone)
        for sensor, tone in zip(_telling_sensors(data, usable), _PRESSURE_TONES, strict=False)
    ]


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


def _means(name: str, frame: pl.DataFrame, every: timedelta, *, tone: str = "measured") -> Series:
    """Return the means of `v` over equal stretches of time; empty ones are left out."""
    means = (
        frame.group_by(pl.col("ts_utc").dt.truncate(every)).agg(pl.col("v").mean()).sort("ts_utc")
    )
    return Series(
        name=name, times=means["ts_utc"].to_list(), values=means["v"].to_list(), tone=tone
    )
