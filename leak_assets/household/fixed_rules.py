"""The rules that meters and apps of the field have, for comparison: fixed limits for every home.

Continuous flow for longer than a limit, and a day's volume above a multiple of the mean.
"""

from dataclasses import dataclass

import polars as pl

from .settings import HomeSettings

# Limits of continuous flow, minutes: 30 min and 2 h are settings that shutoff valves come with.
CONTINUOUS_MIN = (30.0, 120.0)
DAILY_VOLUME_FACTOR = 2.0


@dataclass(frozen=True)
class ContinuousFlow:
    """Alarms where water has run for longer than a limit, pauses of `gap_s` aside."""

    limit_s: float

    def alarms_at_s(self, sessions: pl.DataFrame) -> pl.Series:
        """Return when it alarms for sessions, s since 1970; one alarm a session."""
        start_s = pl.col("start_at").dt.epoch("us") / 1e6
        return (
            sessions.filter(pl.col("duration_s") > self.limit_s)
            .select(at_s=start_s + self.limit_s)
            .to_series()
        )


def daily_volume_alarms(
    steps: pl.DataFrame, limits: pl.DataFrame, settings: HomeSettings
) -> list[float]:
    """Return when a day's volume passes its limit, s since 1970; one alarm a day.

    Parameters
    ----------
    limits
        As `daily_limits` gives them.
    """
    frame = _by_day(steps, settings).with_columns(so_far=pl.col("litres").cum_sum().over("day"))
    passed = frame.join(limits, on="day").filter(pl.col("so_far") > pl.col("limit_l"))
    return passed.group_by("day").agg(pl.col("end_s").min())["end_s"].sort().to_list()


def daily_limits(steps: pl.DataFrame, settings: HomeSettings, learning_days: int) -> pl.DataFrame:
    """Return `day` and `limit_l`: twice the mean volume of the days before, within the horizon.

    It knows nothing of who is at home. Days before the end of learning have no limit.
    """
    daily = _by_day(steps, settings).group_by("day").agg(pl.col("litres").sum()).sort("day")
    # Up to the day before: today's own water must not raise its own limit.
    mean = pl.col("litres").shift(1).rolling_mean(settings.horizon_days, min_samples=learning_days)
    return daily.select("day", limit_l=DAILY_VOLUME_FACTOR * mean).drop_nulls()


def _by_day(steps: pl.DataFrame, settings: HomeSettings) -> pl.DataFrame:
    local = (pl.col("end_s") * 1e6).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    litres = pl.col("flow_l_per_min") * (pl.col("end_s") - pl.col("start_s")) / 60
    return steps.select(
        "end_s", day=local.dt.convert_time_zone(settings.zone).dt.date(), litres=litres
    )
