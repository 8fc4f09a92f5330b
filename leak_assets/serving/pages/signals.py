"""Measured values beside what was expected of them, as charts: of an incident, of a network now."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.reports.charts import Chart, Series, Span, draw_chart
from leak_assets.serving.context import Serving

_TABLE = "features.channels_30m"
_CHANNELS = "SELECT * FROM {days} ORDER BY channel, ts_utc"
_BAND = (
    "SELECT sensor_id, quantity, std_si FROM features.calibrations WHERE network = ? AND date <= ?"
    " QUALIFY date = max(date) OVER ()"
)
_SENSORS, _MOST_POINTS = 4, 480
_BEFORE, _AFTER, _LONGEST = timedelta(days=4), timedelta(days=2), timedelta(days=60)
BAND_SIGMAS = 2.0
RECENT_DAYS, _ZONES = 14, 3


def signal_charts(serving: Serving, incident: Mapping[str, Any], zone: str) -> list[Chart]:
    """Return measured values beside the expected band, of the sensors that say most.

    Parameters
    ----------
    incident
        As `incident_answers.incident_detail`.
    zone
        IANA zone of the labels.
    """
    network = incident["network"]
    end_of_data = incident["last_seen_at"] + _AFTER
    start = max(incident["leak_start"] - _BEFORE, end_of_data - _LONGEST)
    named = [
        f"{row['quantity']}/{row['sensor_id']}"
        for row in incident["evidence"]
        if row["quantity"] in ("pressure", "balance")
    ]
    wanted = [*dict.fromkeys(named)][:_SENSORS]
    frame = serving.store.ask_days(
        _CHANNELS,
        _TABLE,
        network,
        first=start.date(),
        last=end_of_data.date(),
    )
    if frame.is_empty():
        return []
    balances = sorted(c for c in frame["channel"].unique() if c.startswith("balance/"))
    if balances:
        of_zone = f"balance/{incident['zone']}"
        wanted = [of_zone if of_zone in balances else balances[0], *wanted]
    first: datetime = frame["ts_utc"].min()  # type: ignore[assignment]
    last: datetime = frame["ts_utc"].max()  # type: ignore[assignment]
    span = (max(start, first), min(end_of_data, last + timedelta(minutes=30)))
    ended = incident["leak_end"] or span[1]
    marked = [Span(incident["leak_start"], ended, "incident", "leak, as estimated")]
    stds = {
        f"{quantity}/{sensor}": std
        for sensor, quantity, std in serving.store.ask(_BAND, [network, last.date()]).iter_rows()
    }
    return [
        _channel_chart(name, frame.filter(pl.col("channel") == name), stds.get(name), span, marked,
                       zone)
        for name in dict.fromkeys(wanted)
        if name in frame["channel"]
    ]  # fmt: skip


def _channel_chart(
    name: str,
    rows: pl.DataFrame,
    std: float | None,
    span: tuple[datetime, datetime],
    marked: Sequence[Span],
    zone: str,
) -> Chart:
    kind, _, sensor = name.partition("/")
    every = timedelta(minutes=30) * max(1, -(-rows.height // _MOST_POINTS))
    usable = rows.filter((pl.col("mask") == 1) & (pl.col("ts_utc") >= span[0]))
    means = (
        usable.group_by(pl.col("ts_utc").dt.truncate(every))
        .agg(pl.col("measured").mean(), pl.col("expected").mean())
        .sort("ts_utc")
    )
    times = means["ts_utc"].to_list()
    expected = means["expected"].to_list()
    series = [
        Series(name="measured", times=times, values=means["measured"].to_list()),
        Series(name="expected", times=times, values=expected, tone="expected"),
    ]
    if std:
        width = BAND_SIGMAS * std
        series.insert(
            0,
            Series(
                name="expected band", times=times, kind="band", tone="band",
                values=[None if v is None else v + width for v in expected],
                lower=[None if v is None else v - width for v in expected],
            ),
        )  # fmt: skip
    is_pressure = kind == "pressure"
    title = f"Pressure at {sensor}" if is_pressure else f"Inflow of zone {sensor}"
    shown = (
        "" if every <= timedelta(minutes=30) else f", mean of {every.total_seconds() / 3600:g} h"
    )
    return draw_chart(
        title,
        ("m" if is_pressure else "m³/h") + shown,
        series,
        zone=zone,
        span=span,
        marked=marked,
        decimals=2 if is_pressure else 1,
    )


def inflow_charts(
    serving: Serving, network: str, incidents: Sequence[Mapping[str, Any]], zone: str
) -> list[Chart]:
    """Return what the zones of a network take beside what is usual, over the last days."""
    frame = serving.store.ask_days(_CHANNELS, _TABLE, network, newest=RECENT_DAYS)
    frame = frame.filter(pl.col("channel").str.starts_with("balance/"))
    if frame.is_empty():
        return []
    first: datetime = frame["ts_utc"].min()  # type: ignore[assignment]
    last: datetime = frame["ts_utc"].max()  # type: ignore[assignment]
    span = (first, last + timedelta(minutes=30))
    marked = [
        Span(i["leak_start"], i["leak_end"] or span[1], "incident", f"pipe {i['top_link_id']}")
        for i in incidents
        if i["status"] != "closed"
    ]
    names = sorted(frame["channel"].unique())[:_ZONES]
    return [
        _channel_chart(name, frame.filter(pl.col("channel") == name), None, span, marked, zone)
        for name in names
    ]
