"""The page of a home: raster of its sessions, bands, prototypes, alarms and why. From tables alone.

One file without network; drawing is SVG in the page.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from leak_assets.errors import MissingInputError
from leak_assets.household.sessions import LEVELS_L_PER_MIN
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas import TABLES

from .household_raster import SLOTS, raster
from .page import look, templates

_FOLDER = Path(__file__).parent / "household_page"
DAYS = 60
_MOST_ALARMS = 20
_MINUTES = 60.0
# Rarer ones explain nothing.
_CONFIDENT = 0.5
_WEEKDAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True)
class _Cell:
    x: float
    y: int
    shade: float
    title: str


def household_page(
    warehouse: Warehouse,
    site: str,
    *,
    title: str,
    zone: str,
    truth: Sequence[dict[str, Any]] = (),
) -> str:
    """Return the page of a home as HTML.

    Parameters
    ----------
    truth
        Faults that are known, as rows for the table of alarms beside the truth.

    Raises
    ------
    MissingInputError
        The home has no days yet.
    """
    values = household_values(warehouse, site, zone)
    if values is None:
        raise MissingInputError(
            f"{site} has no days yet",
            remedy=f"`leak-assets ingest PATH --network {site}` brings readings",
        )
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            title=title or site,
            site=site,
            css=look("look.css") + (_FOLDER / "page.css").read_text("utf-8"),
            generated=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            truth=list(truth),
            **values,
        )
    )


def household_values(warehouse: Warehouse, site: str, zone: str) -> dict[str, Any] | None:
    """Return what the pages of a home show, in the report and in the dashboard.

    Parameters
    ----------
    zone
        IANA zone of the home's clocks.

    Returns
    -------
    dict or None
        Values of `look/home_parts.html.j2`; None before the first day.
    """
    status = _rows(warehouse, "engine_status", site).sort("day")
    if status.is_empty():
        return None
    last: date = status["day"][-1]
    days = [last - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    sessions = _rows(warehouse, "sessions", site).filter(
        pl.col("ended_at") >= datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)
    )
    alerts = _rows(warehouse, "alerts", site).sort("ts_utc")
    newest = status.row(-1, named=True)
    current = {"date": last.isoformat(), "site": site}
    return {
        "zone": zone,
        "status": newest,
        "tiles": _tiles(newest, _rows(warehouse, "daily_summaries", site), alerts),
        "days": [day.isoformat() for day in days],
        "cells": _cells(sessions, days, zone),
        "marks": _marks(alerts, days, zone),
        "slots": SLOTS,
        "bands": _bands(_partition(warehouse, "baselines", current)),
        "holdings": _holdings(json.loads(newest["holdings_json"])),
        "prototypes": _prototypes(_partition(warehouse, "prototypes", current)),
        "alarms": _alarms(alerts, zone),
    }


def _rows(warehouse: Warehouse, table: str, site: str) -> pl.DataFrame:
    return warehouse.read_all(f"household.{table}", site=site)


def _partition(warehouse: Warehouse, table: str, partition: dict[str, str]) -> pl.DataFrame:
    name = f"household.{table}"
    found = warehouse.read(name, partition)
    return TABLES[name].empty() if found is None else found


def _tiles(
    status: dict[str, Any], summaries: pl.DataFrame, alerts: pl.DataFrame
) -> list[tuple[str, str, str]]:
    week = summaries.sort("day").tail(7)
    litres = float(week["volume_l"].mean() or 0.0)  # type: ignore[arg-type]
    alarms = alerts.filter(event="on").height
    return [
        ("Alarm", "ON" if status["is_on"] else "off", f"engine: {status['status']}"),
        ("Water a day", f"{litres:,.0f} L", f"mean of the last {week.height} days"),
        ("Alarms", str(alarms), "since the first day"),
        ("Learned", f"{status['days_learned']} days", f"{status['ready_buckets']} ready buckets"),
        ("Recurring uses", str(status["prototypes"]), "of high confidence"),
    ]


def _cells(sessions: pl.DataFrame, days: Sequence[date], zone: str) -> list[_Cell]:
    found = raster(sessions, zone)
    row_of = {day: number for number, day in enumerate(days)}
    most = max(1.0, float(found["litres"].quantile(0.98) or 1.0)) if found.height else 1.0
    return [
        _Cell(
            slot,
            row_of[day],
            round(min(1.0, 0.12 + 0.88 * (litres / most) ** 0.5), 2),
            f"{day} {slot // 4:02d}:{slot % 4 * 15:02d}: {litres:.0f} L",
        )
        for day, slot, litres in found.iter_rows()
        if day in row_of and litres > 0
    ]


def _marks(alerts: pl.DataFrame, days: Sequence[date], zone: str) -> list[_Cell]:
    row_of = {day: number for number, day in enumerate(days)}
    found = []
    for at, kinds in alerts.filter(event="on").select("ts_utc", "kinds").iter_rows():
        local = at.astimezone(ZoneInfo(zone))
        if local.date() in row_of:
            slot = (local.hour * 60 + local.minute) / 15
            found.append(_Cell(slot, row_of[local.date()], 1.0, f"{local:%Y-%m-%d %H:%M} {kinds}"))
    return found


def _bands(baselines: pl.DataFrame) -> list[dict[str, Any]]:
    """Return p50, p95 and p99 of the duration by local hour, heights in percent of the largest."""
    hours = baselines.filter(rung=5).sort("hour")
    most = max(1.0, float(hours["duration_p99_s"].max() or 1.0))  # type: ignore[arg-type]
    return [
        {
            "hour": row["hour"],
            "count": row["sessions"],
            **{f"p{share}": 100 * row[f"duration_p{share}_s"] / most for share in (50, 95, 99)},
            "text": _band_text(row),
            "top": f"{most / _MINUTES:.0f} min",
        }
        for row in hours.iter_rows(named=True)
    ]


def _band_text(row: dict[str, Any]) -> str:
    half, most, nearly_all = (row[f"duration_p{share}_s"] / _MINUTES for share in (50, 95, 99))
    return (
        f"{row['hour']:02d} h: half of {row['sessions']} sessions are shorter than {half:.1f} min,"
        f" 95 % than {most:.1f}, 99 % than {nearly_all:.1f}"
    )


def _holdings(by_class: dict[str, list[float]]) -> list[dict[str, str]]:
    held = by_class.get("all", [])
    return [
        {
            "level": "any flow" if not level else f"{level:g} L/min or more",
            "minutes": f"{seconds / _MINUTES:.1f}",
        }
        for level, seconds in zip(LEVELS_L_PER_MIN, held, strict=False)
    ]


def _prototypes(frame: pl.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "when": "any day" if row["weekday"] is None else _WEEKDAYS[row["weekday"]],
            "start": f"{int(row['start_minute']) // 60:02d}:{int(row['start_minute']) % 60:02d}",
            "minutes": f"{row['duration_s'] / 60:.0f}",
            "flow": f"{row['avg_flow_l_per_min']:.1f}",
            "occurrences": str(row["occurrences"]),
            "last_seen": str(row["last_seen"]),
            "confidence": f"{row['confidence']:.2f}",
        }
        for row in frame.filter(pl.col("confidence") >= _CONFIDENT)
        .sort(pl.col("duration_s") * pl.col("avg_flow_l_per_min"), descending=True)
        .head(12)
        .iter_rows(named=True)
    ]


def _alarms(alerts: pl.DataFrame, zone: str) -> list[dict[str, Any]]:
    rows = alerts.to_dicts()
    found = []
    for number, row in enumerate(rows):
        if row["event"] == "off":
            continue
        off = next((r for r in rows[number + 1 :] if r["event"] == "off"), None)
        local = row["ts_utc"].astimezone(ZoneInfo(zone))
        is_on = row["event"] == "on"
        lasted = "still on" if is_on else ""
        if off and is_on:
            lasted = f"{(off['ts_utc'] - row['ts_utc']).total_seconds() / _MINUTES:.0f} min"
        what = row["kinds"].replace(",", ", ") if is_on else row["event"].replace("_", " ")
        found.append(
            {
                "at": f"{local:%Y-%m-%d %H:%M}",
                "what": what,
                "lasted": lasted,
                "risk": f"{row['risk_score']:.2f}" if is_on else "",
                "flow": f"{row['flow_now_l_per_min']:.1f}" if is_on else "",
                "reasons": row["reasons"].splitlines(),
            }
        )
    return found[::-1][:_MOST_ALARMS]
