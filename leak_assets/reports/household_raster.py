"""Water of a home as a raster of days and hours: the picture of its habits.

Pixels of the page and of Dagster's day are made here, from tables alone.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from .drawing import INK, MUTED, as_png, panels, say_no_data

# Columns of a day: a quarter of an hour each.
SLOTS, SLOT_MIN = 96, 15
# Dagster's page of a day shows the weeks before it.
RASTER_DAYS = 28


def raster(sessions: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Return `day`, `slot` (quarter of an hour, local) and `litres`, of sessions spread evenly.

    Parameters
    ----------
    sessions
        Rows of `household.sessions`.
    """
    if sessions.is_empty():
        return pl.DataFrame(schema={"day": pl.Date, "slot": pl.Int64, "litres": pl.Float64})
    start = pl.col("start_at").dt.convert_time_zone(zone)
    spread = sessions.select(
        start=start,
        end=pl.col("ended_at").dt.convert_time_zone(zone),
        volume_l="volume_l",
        duration_s=pl.col("duration_s").clip(1.0),
    ).with_columns(
        quarter=pl.datetime_ranges(
            pl.col("start").dt.truncate(f"{SLOT_MIN}m"), pl.col("end"), f"{SLOT_MIN}m"
        )
    )
    length = pl.duration(minutes=SLOT_MIN)
    inside = pl.min_horizontal("end", pl.col("quarter") + length) - pl.max_horizontal(
        "start", "quarter"
    )
    return (
        spread.explode("quarter")
        .with_columns(share=inside.dt.total_seconds() / pl.col("duration_s"))
        .group_by(
            day=pl.col("quarter").dt.date(),
            slot=(pl.col("quarter").dt.hour().cast(pl.Int64) * 60 + pl.col("quarter").dt.minute())
            // SLOT_MIN,
        )
        .agg(litres=(pl.col("volume_l") * pl.col("share")).sum())
        .sort("day", "slot")
    )


def raster_picture(
    sessions: pl.DataFrame, alerts: pl.DataFrame, zone: str, days: list[date]
) -> bytes:
    """Return the raster of days as PNG, alarms marked.

    Parameters
    ----------
    alerts
        Rows of `household.alerts`.
    """
    figure, (axis,) = panels(1, 1.4 + 0.16 * min(len(days), 60))
    axis.grid(visible=False)
    cells = raster(sessions, zone).filter(pl.col("day").is_in(days))
    if cells.is_empty():
        say_no_data(axis)
        return as_png(figure)
    row_of = {day: number for number, day in enumerate(days)}
    table = [[0.0] * SLOTS for _ in days]
    for day, slot, litres in cells.iter_rows():
        table[row_of[day]][slot] = litres**0.5
    axis.imshow(table, aspect="auto", cmap="Blues", extent=(0, 24, len(days), 0))
    for at, why in alerts.filter(event="on").select("ts_utc", "kinds").iter_rows():
        local: datetime = at.astimezone(ZoneInfo(zone))
        if local.date() in row_of:
            axis.plot(local.hour + local.minute / 60, row_of[local.date()] + 0.5, "o",
                      color="#c62b27", markersize=5, label=why)  # fmt: skip
    axis.set_xticks(range(0, 25, 3))
    axis.set_yticks([0.5, len(days) - 0.5], [str(days[0]), str(days[-1])], fontsize=7)
    axis.set_xlabel("local hour; a red dot is an alarm", fontsize=8, color=MUTED)
    axis.set_title("Water by day and hour", loc="left", fontsize=10, color=INK, fontweight="bold")
    return as_png(figure)


def last_days(day: date, count: int) -> list[date]:
    """Return so many days up to one, in order."""
    return [day - timedelta(days=back) for back in range(count - 1, -1, -1)]
