"""Charts over time as geometry: the one way in which reports and dashboard draw a series.

Paths are in a box that the page stretches, so a chart is as wide as its place and its lines are
not; labels are HTML beside them. The template `look/figures.html.j2` writes it, `look/explore.js`
adds cursor and zoom. No table is read here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo

WIDTH, HEIGHT = 1000.0, 100.0
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_TIME_STEPS = (
    *(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * h for h in (1, 2, 3, 6, 12)),
    *(_DAY * d for d in (1, 2, 4, 7, 14, 28, 56, 112, 224, 365)),
)
_MOST_TIME_TICKS = 7
# A label further right would stand beyond the chart.
_LAST_LABEL_PERCENT = 97.0
# A gap of more than so many usual steps is drawn as one.
_GAP_STEPS = 2.6


@dataclass(frozen=True, kw_only=True)
class Series:
    """One thing drawn over time.

    Parameters
    ----------
    name
        In the legend and in the tip.
    times, values
        UTC, in order; None where there is no value.
    kind
        `line`, `band` (from `lower` to the values), `dots` or `bars` (from zero up).
    tone
        What it is, a class of `look.css`: `measured`, `expected`, `limit`, `alarm`, `soft`,
        `second`, `third`, `fourth`.
    lower
        Lower edge of a band.
    """

    name: str
    times: Sequence[datetime]
    values: Sequence[float | None]
    kind: Literal["line", "band", "dots", "bars"] = "line"
    tone: str = "measured"
    lower: Sequence[float | None] = ()


@dataclass(frozen=True)
class Span:
    """A stretch of time behind the series, such as an incident.

    Parameters
    ----------
    tone
        Class of `look.css`: `incident` or `truth`.
    """

    start: datetime
    end: datetime
    tone: str
    label: str


@dataclass(frozen=True)
class Drawn:
    """One path of a chart, in the units of the box."""

    name: str
    kind: str
    tone: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What the template writes of a chart.

    Parameters
    ----------
    said
        What it shows in a sentence, for whoever does not see it.
    y_ticks, x_ticks
        Place in percent from the top or the left, and the label.
    spans
        Left edge and width in percent, tone, label.
    data
        Numbers for cursor and zoom; JSON-able.
    """

    title: str
    unit: str
    said: str
    paths: Sequence[Drawn]
    legend: Sequence[tuple[str, str, str]]
    y_ticks: Sequence[tuple[float, str]]
    x_ticks: Sequence[tuple[float, str]]
    spans: Sequence[tuple[float, float, str, str]]
    zero: float | None
    is_empty: bool
    data: dict[str, Any] = field(repr=False)


def draw_chart(
    title: str,
    unit: str,
    series: Sequence[Series],
    *,
    zone: str,
    span: tuple[datetime, datetime],
    marked: Sequence[Span] = (),
    y_range: tuple[float, float] | None = None,
    from_zero: bool = False,
    decimals: int = 2,
) -> Chart:
    """Return series over a stretch of time as a chart.

    Parameters
    ----------
    unit
        Of the values; what follows a comma is said of all of them, such as `m, mean of 1 h`.
    zone
        IANA zone of the labels.
    span
        Begin and end of the time axis, UTC.
    y_range
        Of the values; by default what is drawn, with some room.
    from_zero
        Whether zero is on the axis in any case.
    """
    start, end = span
    length = max((end - start).total_seconds(), 1.0)
    low, high = y_range or _range(series, from_zero=from_zero)

    def x(at: datetime) -> float:
        return (at - start).total_seconds() / length * WIDTH

    def y(value: float) -> float:
        return HEIGHT - (value - low) / (high - low) * HEIGHT

    paths = [
        Drawn(one.name, one.kind, one.tone, path)
        for one in series
        if (path := _path(one, x, y, base=y(max(low, min(0.0, high)))))
    ]
    return Chart(
        title=title,
        unit=unit,
        said=_said(title, unit.partition(",")[0], series, zone, decimals),
        paths=paths,
        legend=[(one.name, one.kind, one.tone) for one in series if one.name],
        y_ticks=[(round(y(v), 2), label) for v, label in _value_ticks(low, high)],
        x_ticks=[
            (place, label)
            for t, label in time_ticks(start, end, zone)
            if (place := round(x(t) / WIDTH * 100, 2)) <= _LAST_LABEL_PERCENT
        ],
        spans=[
            (round(a / WIDTH * 100, 2), round((b - a) / WIDTH * 100, 2), one.tone, one.label)
            for one in marked
            if (b := min(x(one.end), WIDTH)) > (a := max(x(one.start), 0.0))
        ],
        zero=round(y(0.0), 2) if low < 0 < high else None,
        is_empty=not paths,
        data={
            "start": int(start.timestamp()),
            "end": int(end.timestamp()),
            "zone": zone,
            "unit": unit.partition(",")[0],
            "series": [_numbers(one, decimals) for one in series if one.kind != "dots"],
        },
    )


def draw_sparkline(values: Sequence[float | None]) -> tuple[str, str]:
    """Return line and area of a small chart without axes, from zero up; empty for no value."""
    known = [v for v in values if v is not None]
    if not known:
        return "", ""
    most = max(*known, 1e-9) if len(known) > 1 else max(known[0], 1e-9)
    step = 100.0 / max(len(values) - 1, 1)
    points = [
        (n * step, 28 - max(v, 0.0) / most * 25) for n, v in enumerate(values) if v is not None
    ]
    if len(points) == 1:
        points = [(0.0, points[0][1]), (100.0, points[0][1])]
    line = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
    return line, f"{line}L{points[-1][0]:.1f} 30L{points[0][0]:.1f} 30Z"


def time_ticks(start: datetime, end: datetime, zone: str) -> list[tuple[datetime, str]]:
    """Return round local times between two moments, with their labels."""
    step = next((s for s in _TIME_STEPS if (end - start) / s <= _MOST_TIME_TICKS), _TIME_STEPS[-1])
    local = start.astimezone(ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    # Wall clock: a day of 23 hours has its ticks at the same hours as the others.
    wall = midnight
    found = []
    while (at := wall.replace(tzinfo=ZoneInfo(zone))) <= end.astimezone(ZoneInfo(zone)):
        if at >= start:
            found.append((at, _time_label(wall, step)))
        wall += step
    return found


def _time_label(wall: datetime, step: timedelta) -> str:
    if step >= _DAY * 365:
        return f"{wall:%Y}"
    if step >= _DAY * 56:
        return f"{wall:%b %Y}"
    if step >= _DAY or (wall.hour, wall.minute) == (0, 0):
        return f"{wall.day} {wall:%b}"
    return f"{wall:%H:%M}"


def _range(series: Sequence[Series], *, from_zero: bool) -> tuple[float, float]:
    known = [
        v for one in series for v in (*one.values, *one.lower) if v is not None and math.isfinite(v)
    ]
    if from_zero or not known or any(one.kind == "bars" for one in series):
        known.append(0.0)
    low, high = min(known), max(known)
    if low == high:
        room = max(abs(high), 1.0) * 0.1
        return low - room, high + room
    # Zero that is an edge stays the edge.
    room = (high - low) * 0.07
    return low - (0.0 if low == 0 else room), high + (0.0 if high == 0 else room)


def _value_ticks(low: float, high: float, count: int = 4) -> list[tuple[float, str]]:
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= rough)
    decimals = max(0, -math.floor(math.log10(step)))
    first = math.ceil(low / step - 1e-9)
    values = [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(v, f"{v + 0.0:,.{decimals}f}".replace("-", "−")) for v in values]


def _path(one: Series, x: Any, y: Any, *, base: float) -> str:
    if one.kind == "bars":
        return "".join(
            f"M{x(t):.1f} {base:.2f}V{y(v):.2f}"
            for t, v in zip(one.times, one.values, strict=True)
            if _is_known(v)
        )
    if one.kind == "dots":
        return "".join(
            f"M{x(t):.1f} {y(v):.2f}h0"
            for t, v in zip(one.times, one.values, strict=True)
            if _is_known(v)
        )
    runs = _runs(one)
    if one.kind == "band":
        return "".join(
            _line([(x(one.times[n]), y(one.values[n])) for n in run])
            + "L"
            + _line([(x(one.times[n]), y(one.lower[n])) for n in reversed(run)])[1:]
            + "Z"
            for run in runs
        )
    return "".join(_line([(x(one.times[n]), y(one.values[n])) for n in run]) for run in runs)


def _line(points: Sequence[tuple[float, float]]) -> str:
    joined = "L".join(f"{a:.1f} {b:.2f}" for a, b in points)
    # One point alone is a dot, not nothing.
    return f"M{joined}h0" if len(points) == 1 else f"M{joined}"


def _runs(one: Series) -> list[list[int]]:
    """Return the indices of values that belong together: no gap in time, none missing."""
    steps = sorted((b - a).total_seconds() for a, b in pairwise(one.times))
    most = _GAP_STEPS * steps[len(steps) // 2] if steps else 0.0
    runs: list[list[int]] = []
    last: int | None = None
    for n, value in enumerate(one.values):
        if not _is_known(value) or (one.lower and not _is_known(one.lower[n])):
            last = None
            continue
        if last is None or (one.times[n] - one.times[last]).total_seconds() > most:
            runs.append([])
        runs[-1].append(n)
        last = n
    return runs


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _numbers(one: Series, decimals: int) -> dict[str, Any]:
    def rounded(values: Sequence[float | None]) -> list[float | None]:
        return [round(v, decimals) if v is not None and math.isfinite(v) else None for v in values]

    seconds = [int(t.timestamp()) for t in one.times]
    steps = {b - a for a, b in pairwise(seconds)}
    regular = len(steps) == 1
    found: dict[str, Any] = {"name": one.name, "v": rounded(one.values)}
    found |= {"t0": seconds[0], "step": steps.pop()} if regular else {"t": seconds}
    if one.lower:
        found["low"] = rounded(one.lower)
    return found


def _said(title: str, unit: str, series: Sequence[Series], zone: str, decimals: int) -> str:
    parts = []
    for one in series:
        known = [(t, v) for t, v in zip(one.times, one.values, strict=True) if _is_known(v)]
        if one.kind == "dots" or not known:
            continue
        values = [float(v) for _, v in known if v is not None]
        at = known[-1][0].astimezone(ZoneInfo(zone))
        parts.append(
            f"{one.name} between {min(values):,.{decimals}f} and {max(values):,.{decimals}f}"
            f" {unit}, last {values[-1]:,.{decimals}f} {unit} at {at:%Y-%m-%d %H:%M}"
        )
    return f"{title}: {'; '.join(parts)}" if parts else f"{title}: no data"
