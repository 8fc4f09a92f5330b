"""Series over time, thinned to what a chart can show: readings, scores, measured beside expected.

Each bucket has mean, least and largest value, so no spike is lost. Routes are in `series_routes`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.errors import InputError
from leak_assets.plant.profile import UNITS
from leak_assets.units import SI_UNITS, si_factor, unit_choices

from .known_sites import KnownSite
from .store import Store

LONGEST_DAYS = 100
MOST_POINTS = 5000
_STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
)  # fmt: skip
"""Widths of buckets, in s: multiples of each other nearly, and parts of a day."""
_BAND = 3.0
"""Half width of the expected band, in standard deviations of the reference days."""


@dataclass(frozen=True)
class _Readings:
    """Where the readings of a kind of site stand, and how they are asked for.

    Parameters
    ----------
    table
        Of readings by day.
    time, value, usable
        SQL of the time, the value, and whether it counts.
    where
        SQL that picks sensor (`$1`) and quantity (`$2`).
    """

    table: str
    value: str
    usable: str
    where: str


_OF_NETWORK = _Readings(
    "telemetry.readings", "value_si", "mask = 1", "sensor_id = $1 AND quantity = $2"
)
# Meters have no other readings than what they sent, each in its own unit.
_METERS = ("volume", "flow", "demand")
_TO_SI = " ".join(
    f"WHEN quantity = '{quantity}' AND unit = '{unit}' THEN {si_factor(quantity, unit)!r}"
    for quantity in _METERS
    for unit in unit_choices(quantity)
)
READINGS: Mapping[str, _Readings] = {
    "network": _OF_NETWORK,
    "zones": _OF_NETWORK,
    "plant": _Readings("plant.readings", "value", "true", "sensor_id = $1 AND parameter = $2"),
    # A home has one meter, whatever it is called.
    "household": _Readings(
        "household.readings",
        "flow_l_per_min",
        "problem IS NULL",
        "($1 <> '' OR true) AND $2 = 'flow'",
    ),
    "meters": _Readings(
        "telemetry.raw_readings",
        f"value * CASE {_TO_SI} END",
        "value IS NOT NULL",
        "sensor_id = $1 AND quantity = $2",
    ),
}


@dataclass(frozen=True)
class Span:
    """A stretch of time, and how many points it may be told in.

    Parameters
    ----------
    since, until
        UTC; `until` is not part of it.
    points
        At most.
    """

    since: datetime
    until: datetime
    points: int

    @property
    def step(self) -> timedelta:
        """Width of a bucket: the least of the usual ones with no more than `points` buckets."""
        wanted = (self.until - self.since).total_seconds() / max(1, self.points - 1)
        return timedelta(seconds=next((s for s in _STEPS_S if s >= wanted), _STEPS_S[-1]))

    @property
    def first_day(self) -> date:
        """Its first day, UTC."""
        return self.since.date()

    @property
    def last_day(self) -> date:
        """Its last day, UTC."""
        return (self.until - timedelta(microseconds=1)).date()


def span_of(
    store: Store,
    table: str,
    site: str,
    *,
    since: datetime | None,
    until: datetime | None,
    points: int,
) -> Span:
    """Return what is asked for: by default the last day that there is.

    Raises
    ------
    InputError
        It ends before it begins, or is longer than `LONGEST_DAYS`.
    """
    day = timedelta(days=1)
    if until is None:
        days = store.days(table, site)
        newest = days[-1] if days else (since.date() if since else datetime.now(UTC).date())
        until = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + day
        if since is not None:
            until = min(until, since + LONGEST_DAYS * day) if until > since else since + day
    if since is None:
        since = until - day
    if since >= until:
        raise InputError(
            f"{since:%Y-%m-%dT%H:%M:%SZ} is not before {until:%Y-%m-%dT%H:%M:%SZ}",
            remedy="Give `since` before `until`",
        )
    if until - since > LONGEST_DAYS * day:
        raise InputError(
            f"{(until - since).days} days are too long", remedy=f"Ask for {LONGEST_DAYS} at most"
        )
    return Span(since, until, points)


def reading_series(
    store: Store, site: KnownSite, sensor_id: str, quantity: str, span: Span
) -> dict[str, Any]:
    """Return the readings of a sensor; those that do not count are only counted."""
    of = READINGS[site.kind]
    frame = store.ask_days(
        f"""
        SELECT time_bucket($5, ts_utc) AS t,
            avg(value) FILTER (usable) AS mean, min(value) FILTER (usable) AS low,
            max(value) FILTER (usable) AS high, count(*) FILTER (usable AND value IS NOT NULL) AS n,
            count(*) FILTER (NOT usable) AS unusable
        FROM (SELECT ts_utc, {of.value} AS value, {of.usable} AS usable FROM {{days}}
              WHERE {of.where} AND ts_utc >= $3 AND ts_utc < $4)
        GROUP BY t ORDER BY t
        """,
        of.table,
        site.name,
        [sensor_id, quantity, span.since, span.until, span.step],
        first=span.first_day,
        last=span.last_day,
    )
    return {
        "site": site.name,
        "sensor_id": sensor_id,
        "quantity": quantity,
        "unit": _unit(site, quantity),
        **_told(span, frame, ("mean", "low", "high", "n", "unusable")),
    }


def score_series(store: Store, network: str, span: Span) -> dict[str, Any]:
    """Return the scores of a network's windows, by the end of the window."""
    frame = store.ask_days(
        """
        SELECT time_bucket($3, window_end) AS t, avg(anomaly_score) AS mean,
            min(anomaly_score) AS low, max(anomaly_score) AS high,
            max(threshold) AS threshold, bool_or(is_alarm) AS is_alarm, count(*) AS n,
            count(*) FILTER (state <> 'scored') AS insufficient_data,
            arg_max(method_version, window_end) AS method_version
        FROM {days} WHERE window_end >= $1 AND window_end < $2 GROUP BY t ORDER BY t
        """,
        "detection.window_scores",
        network,
        [span.since, span.until, span.step],
        # A window may end on the day after the one that it belongs to.
        first=span.first_day - timedelta(days=1) if span.first_day > date.min else span.first_day,
        last=span.last_day,
    )
    names = (
        "mean", "low", "high", "threshold", "is_alarm", "n", "insufficient_data", "method_version",
    )  # fmt: skip
    return {"network": network, **_told(span, frame, names)}


def channel_series(store: Store, network: str, channel: str, span: Span) -> dict[str, Any]:
    """Return a channel's half-hours: measured, expected, and the band in which it usually is.

    The band is three standard deviations of the reference days to either side; null of channels
    without a calibration.
    """
    quantity, _, sensor_id = channel.partition("/")
    calibration = store.ask_days(
        "SELECT arg_max(std_si, date) AS std FROM {days} WHERE sensor_id = $1 AND quantity = $2",
        "features.calibrations",
        network,
        [sensor_id, quantity],
        last=span.last_day,
        newest=1,
    )
    std = calibration["std"][0]
    step = max(span.step, timedelta(minutes=30))
    frame = store.ask_days(
        """
        SELECT time_bucket($4, ts_utc) AS t, avg(measured) AS measured, avg(expected) AS expected,
            avg(residual) AS residual, count(*) AS n
        FROM {days} WHERE channel = $1 AND mask = 1 AND ts_utc >= $2 AND ts_utc < $3
        GROUP BY t ORDER BY t
        """,
        "features.channels_30m",
        network,
        [channel, span.since, span.until, step],
        first=span.first_day,
        last=span.last_day,
    ).with_columns(
        expected_low=pl.col("expected") - _BAND * std if std is not None else None,
        expected_high=pl.col("expected") + _BAND * std if std is not None else None,
    )
    names = ("measured", "expected", "expected_low", "expected_high", "residual", "n")
    return {
        "network": network,
        "channel": channel,
        "unit": "m" if quantity == "pressure" else "m3/h",
        **_told(span, frame, names),
        "step_s": step.total_seconds(),
    }


def _told(span: Span, frame: pl.DataFrame, names: tuple[str, ...]) -> dict[str, Any]:
    """Return span and columns as lists of one length, the time in `t`."""
    return {
        "since": span.since,
        "until": span.until,
        "step_s": span.step.total_seconds(),
        "count": frame.height,
        "t": frame["t"].to_list(),
        **{name: frame[name].to_list() for name in names},
    }


def _unit(site: KnownSite, quantity: str) -> str | None:
    if site.kind == "plant":
        return UNITS.get(quantity)
    return "L/min" if site.kind == "household" else SI_UNITS.get(quantity)
