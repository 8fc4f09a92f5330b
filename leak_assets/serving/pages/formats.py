"""How pages write numbers, times and names of things: one place for units, zones and words."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

NOTHING = "–"
_UNITS_OF_AGE = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))

STATUS_WORDS: Mapping[str, str] = {
    "new": "new",
    "open": "open",
    "under_investigation": "investigating",
    "field_work": "field work",
    "closed": "closed",
}
REASON_WORDS: Mapping[str, str] = {
    "confirmed_leak": "Leak confirmed",
    "false_positive": "False alarm",
    "planned_work": "Planned work",
    "sensor_fault": "Sensor fault",
    "demand_change": "Demand changed",
    "fire_flow": "Fire flow",
    "duplicate": "Duplicate of another incident",
}

METRIC_WORDS: Mapping[str, str] = {
    "auc": "AUC",
    "mcc": "Matthews correlation",
    "f1": "F1",
    "far_without_leak": "false alarms, windows without leak",
    "far_as_labelled": "false alarms, as labelled",
    "latency_ms_p95": "time for a window, 95 %, ms",
    "near_hit": "within 300 m or node among five",
    "distance_vs_fixed_guess": "distance, share of a fixed guess's",
    "atd": "hops to the leak, mean",
    "atd_m": "distance to the leak, mean, m",
}


def number(value: float | None, decimals: int = 0, unit: str = "") -> str:
    """Return a number with thousands separators and its unit; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:,.{decimals}f}".replace("-", "−")
    return f"{text}\N{NO-BREAK SPACE}{unit}" if unit else text


def flow(value: float | None, unit: str = "m³/h") -> str:
    """Return a flow with as many decimals as it deserves."""
    return number(value, 0 if value is not None and abs(value) >= 100 else 1, unit)


def euro(value: float | None) -> str:
    """Return an amount of money."""
    return NOTHING if value is None else f"€\N{NO-BREAK SPACE}{number(value)}"


def percent(share: float | None, decimals: int = 0) -> str:
    """Return a share as percent."""
    return NOTHING if share is None else number(100 * share, decimals, "%")


def at(moment: datetime | None, zone: str, *, seconds: bool = False, split: bool = False) -> Markup:
    """Return a moment by the site's clock, with the exact time for machines.

    Parameters
    ----------
    split
        The clock above the day, for narrow columns.
    """
    if moment is None:
        return Markup(NOTHING)  # noqa: S704 - a constant
    local = moment.astimezone(ZoneInfo(zone))
    clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    shown = Markup("{}<small>{}</small>") if split else Markup("{1} {0}")
    shown = shown.format(clock, f"{local:%Y-%m-%d}")
    return Markup('<time datetime="{}">{}</time>').format(
        moment.astimezone(UTC).isoformat(timespec="seconds"), shown
    )


def day(moment: datetime | date | None, zone: str = "UTC") -> str:
    """Return a day as people say it: `12 Mar 2019`."""
    if moment is None:
        return NOTHING
    local = moment.astimezone(ZoneInfo(zone)) if isinstance(moment, datetime) else moment
    return f"{local.day} {local:%b %Y}"


def age(seconds: float | None) -> str:
    """Return a length of time in its two largest units: `3 d 4 h`."""
    if seconds is None:
        return NOTHING
    left = int(abs(seconds))
    for number_of, (size, name) in enumerate(_UNITS_OF_AGE):
        if left >= size or size == 1:
            text = f"{left // size:,} {name}"
            if size in (86_400, 3600) and left // size < 10:
                smaller, small = _UNITS_OF_AGE[number_of + 1]
                text += f" {left % size // smaller} {small}" if left % size >= smaller else ""
            return text.replace(" ", "\N{NO-BREAK SPACE}")
    return NOTHING


def since(moment: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was."""
    return NOTHING if moment is None else f"{age((now - moment).total_seconds())} ago"


def clock_name(zone: str, now: datetime) -> str:
    """Return what the page's clock is called: zone and its offset now."""
    offset = now.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    if zone == "UTC":
        return "UTC"
    minutes = int(offset.total_seconds() // 60)
    sign = "+" if minutes >= 0 else "−"
    return f"{zone} (UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d})"


FILTERS: Mapping[str, Any] = {
    "number": number,
    "flow": flow,
    "euro": euro,
    "percent": percent,
    "day": day,
    "age": age,
    "status_word": lambda status: STATUS_WORDS.get(status, status),
    "metric_word": lambda name: METRIC_WORDS.get(name, name.replace("_", " ")),
    "reason_word": lambda reason: REASON_WORDS.get(reason, reason),
}
"""Filters of the templates; times go through `at`, which knows the page's zone."""
