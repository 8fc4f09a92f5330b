"""Whole histories cut into sessions at once: the same sessions as `sessions.advance` gives.

Vectorized, for learning and for utilities; a test holds the two together.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .context import CLASS_OF_WORD, day_type
from .sessions import LEVELS_L_PER_MIN, JudgedSession
from .settings import HomeSettings

_UTC_US = pl.Datetime("us", "UTC")
STEPS_SCHEMA = pl.Schema(
    {
        "start_s": pl.Float64(),
        "end_s": pl.Float64(),
        "flow_l_per_min": pl.Float64(),
        "hot_l_per_min": pl.Float64(),
        "occupancy": pl.String(),
        "people": pl.Int64(),
    }
)
SESSIONS_SCHEMA = pl.Schema(
    {
        "start_at": _UTC_US,
        "ended_at": _UTC_US,
        "hour": pl.Int64(),
        "day_type": pl.String(),
        "weekday": pl.Int64(),
        "minute_of_day": pl.Float64(),
        "occupancy_raw": pl.String(),
        "occupancy_class": pl.String(),
        "people_bin": pl.String(),
        "duration_s": pl.Float64(),
        "avg_flow_l_per_min": pl.Float64(),
        "volume_l": pl.Float64(),
        "hot_pct": pl.Float64(),
        "longest_s": pl.List(pl.Float64()),
        "longest_low_s": pl.Float64(),
        "ended_by": pl.String(),
        "explained_s": pl.Float64(),
        "unusual": pl.Boolean(),
    }
)


def cut_sessions(steps: pl.DataFrame, settings: HomeSettings) -> pl.DataFrame:
    """Return the sessions of a home.

    Parameters
    ----------
    steps
        As `STEPS_SCHEMA`, by time, none overlapping another.

    Returns
    -------
    polars.DataFrame
        As `SESSIONS_SCHEMA`, by start; the last one may still run (`ended_by` is `running`).
    """
    start, end, flow = (steps[name].to_numpy() for name in ("start_s", "end_s", "flow_l_per_min"))
    wet = np.flatnonzero(flow >= settings.min_flow_l_per_min)
    if not wet.size:
        return pl.DataFrame(schema=SESSIONS_SCHEMA)
    seconds = end - start
    dry_s = np.cumsum(np.where(flow >= settings.min_flow_l_per_min, 0.0, seconds))
    before = np.concatenate([[0.0], start[1:] - end[:-1]])
    lost = np.cumsum((before > settings.missing_s).astype(np.int64))
    # A session goes on where neither a pause nor a hole in the readings lies before the water.
    new = np.concatenate(
        [
            [True],
            (np.diff(dry_s[wet]) > settings.gap_s + 1e-6) | (np.diff(lost[wet]) > 0),
        ]
    )
    number = np.cumsum(new) - 1
    first, last = wet[new], wet[np.concatenate([new[1:], [True]])]
    duration = end[last] - start[first]
    begins = np.flatnonzero(new)
    volume = np.add.reduceat(flow[wet] * seconds[wet] / 60, begins)
    hot = steps["hot_l_per_min"].to_numpy()
    hot_volume = np.add.reduceat(hot[wet] * seconds[wet] / 60, begins)
    longest, longest_low = _holdings(flow, seconds, wet, number, begins, settings)
    frame = pl.DataFrame(
        {
            "start_s": start[first],
            "end_s": end[last],
            "occupancy_raw": steps["occupancy"].gather(first),
            "people": steps["people"].gather(first),
            "duration_s": duration,
            "avg_flow_l_per_min": volume / duration * 60,
            "volume_l": volume,
            "hot_pct": 100 * hot_volume / volume,
            "longest_s": pl.Series(longest, dtype=pl.List(pl.Float64)),
            "longest_low_s": longest_low,
            "ended_by": _ended_by(last, dry_s, lost, settings),
        }
    )
    return _with_context(frame, settings)


def _holdings(
    flow: NDArray[np.float64],
    seconds: NDArray[np.float64],
    wet: NDArray[np.int64],
    number: NDArray[np.int64],
    begins: NDArray[np.int64],
    settings: HomeSettings,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the longest holding of each level (sessions × levels) and of a trickle, s."""
    flows, lengths = flow[wet], seconds[wet]
    # A measured step without flow between two wet ones ends every holding.
    broken = np.concatenate([[True], np.diff(wet) > 1]) | np.concatenate(
        [[True], np.diff(number) > 0]
    )
    longest = np.empty((len(begins), len(LEVELS_L_PER_MIN)))
    for column, level in enumerate(LEVELS_L_PER_MIN):
        longest[:, column] = _longest(flows >= level, lengths, broken, begins)
    low = _longest(flows <= settings.low_flow_l_per_min, lengths, broken, begins)
    return longest, low


def _longest(
    holds: NDArray[np.bool_],
    lengths: NDArray[np.float64],
    broken: NDArray[np.bool_],
    begins: NDArray[np.int64],
) -> NDArray[np.float64]:
    total = np.cumsum(np.where(holds, lengths, 0.0))
    before = total - np.where(holds, lengths, 0.0)
    # What had run up to the last interruption is taken off: totals never fall.
    base = np.where(holds, np.where(broken, before, 0.0), total)
    held = total - np.maximum.accumulate(base)
    return np.asarray(np.maximum.reduceat(held, begins))


def _ended_by(
    last: NDArray[np.int64],
    dry_s: NDArray[np.float64],
    lost: NDArray[np.int64],
    settings: HomeSettings,
) -> list[str]:
    """Return what ended each session: measured rest, a hole in the readings, or nothing yet."""
    after = np.searchsorted(dry_s, dry_s[last] + settings.gap_s + 1e-6, side="right")
    hole = np.searchsorted(lost, lost[last], side="right")
    nothing = len(dry_s)
    return [
        "running" if a == h == nothing else "missing" if h <= a else "no_flow"
        for a, h in zip(after.tolist(), hole.tolist(), strict=True)
    ]


def _with_context(frame: pl.DataFrame, settings: HomeSettings) -> pl.DataFrame:
    local = pl.col("start_at").dt.convert_time_zone(settings.zone)
    raw = pl.lit(settings.location_mode) if settings.location_mode else pl.col("occupancy_raw")
    people = pl.col("people")
    frame = frame.with_columns(
        start_at=_instant("start_s"), ended_at=_instant("end_s"), occupancy_raw=raw
    ).with_columns(
        hour=local.dt.hour().cast(pl.Int64),
        weekday=(local.dt.weekday() - 1).cast(pl.Int64),
        minute_of_day=local.dt.hour().cast(pl.Float64) * 60
        + local.dt.minute()
        + local.dt.second() / 60,
        local_day=local.dt.date(),
        occupancy_class=pl.col("occupancy_raw")
        .str.strip_chars()
        .str.to_lowercase()
        .replace_strict({**CLASS_OF_WORD, **settings.words}, default="home"),
        people_bin=pl.when(people <= 0)
        .then(pl.lit("0"))
        .when(people == 1)
        .then(pl.lit("1"))
        .when(people <= 3)
        .then(pl.lit("2-3"))
        .otherwise(pl.lit("4+")),
        explained_s=pl.lit(0.0),
        unusual=pl.lit(value=False),
    )
    days = frame["local_day"].unique().to_list()
    types = pl.DataFrame(
        {"local_day": days, "day_type": [day_type(day, settings) for day in days]},
        schema={"local_day": pl.Date, "day_type": pl.String},
    )
    joined = frame.join(types, on="local_day", how="left", maintain_order="left")
    return joined.select(SESSIONS_SCHEMA.names()).cast(SESSIONS_SCHEMA)


def _instant(name: str) -> pl.Expr:
    return (pl.col(name) * 1e6).round().cast(pl.Int64).cast(_UTC_US)


def sessions_frame(sessions: Iterable[JudgedSession]) -> pl.DataFrame:
    """Return sessions of the engine as `SESSIONS_SCHEMA`."""
    return pl.DataFrame([_row(session) for session in sessions], schema=SESSIONS_SCHEMA)


def _row(judged: JudgedSession) -> dict[str, Any]:
    session = judged.session
    context = session.context
    return {
        "start_at": session.start_at,
        "ended_at": session.ended_at,
        "hour": context.hour,
        "day_type": context.day_type,
        "weekday": context.weekday,
        "minute_of_day": context.minute_of_day,
        "occupancy_raw": context.occupancy_raw,
        "occupancy_class": context.occupancy_class,
        "people_bin": context.people_bin,
        "duration_s": session.duration_s,
        "avg_flow_l_per_min": session.avg_flow_l_per_min,
        "volume_l": session.volume_l,
        "hot_pct": session.hot_pct,
        "longest_s": list(session.longest_s),
        "longest_low_s": session.longest_low_s,
        "ended_by": session.ended_by,
        "explained_s": judged.explained_s,
        "unusual": judged.unusual,
    }
