"""The water balance as its page shows it: figures of each metered area, its nights, its days."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from leak_assets.reports.charts import Chart, Series, draw_chart
from leak_assets.reports.water_report import AREAS, BALANCE, BANDS
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite

SHOWN_DAYS, CHART_DAYS, AREAS_WITH_CHARTS = 30, 90, 12
TABLE_DAYS = 14
_NEWEST = "SELECT max(local_date) AS day FROM water.dma_balance_daily WHERE network = ?"


def water_view(
    serving: Serving, _caller: Caller, site: KnownSite, *, area: str | None
) -> dict[str, Any]:
    """Return what the page of the water balance shows of a site.

    Parameters
    ----------
    area
        Whose days are listed; None: the first.
    """
    ask = serving.store.ask
    last: date | None = ask(_NEWEST, [site.name])["day"][0]
    if last is None:
        return {"areas": [], "charts": [], "days": [], "area": None, "period": None}
    first = last - timedelta(days=SHOWN_DAYS - 1)
    areas = ask(AREAS, [site.name, first, last]).to_dicts()
    names = [row["zone"] for row in areas]
    chosen = area if area in names else names[0] if names else None
    asked = [site.name, last - timedelta(days=CHART_DAYS - 1), last]
    balance, bands = ask(BALANCE, asked), ask(BANDS, asked)
    return {
        "areas": areas,
        "area": chosen,
        "period": (max(first, balance["local_date"].min()), last),  # type: ignore[type-var]
        "charts": [
            night_chart(name, balance.filter(zone_id=name), bands.filter(zone_id=name),
                        site.timezone)
            for name in names[:AREAS_WITH_CHARTS]
        ],
        "days": balance.filter(zone_id=chosen).sort("local_date", descending=True)
        .head(TABLE_DAYS).to_dicts(),
    }  # fmt: skip


def night_chart(area: str, balance: pl.DataFrame, bands: pl.DataFrame, zone: str) -> Chart:
    """Return minimum night flow with its usual range below the mean net inflow of an area."""
    nights = [_midnight(night, zone) for night in bands["night"]]
    days = [_midnight(day, zone) for day in balance["local_date"]]
    above = bands.filter(pl.col("is_above") & ~pl.col("is_indication"))
    indicated = bands.filter("is_indication")
    mean = (balance["net_inflow_m3"] / balance["hours"]).to_list()
    span = (min([*days, *nights]) - timedelta(hours=12), max([*days, *nights]) + timedelta(days=1))
    return draw_chart(
        f"Area {area}",
        "m³/h",
        [
            Series(name="usual to limit", times=nights, values=bands["upper_m3_per_h"].to_list(),
                   lower=bands["usual_m3_per_h"].to_list(), kind="band", tone="band"),
            Series(name="mean net inflow", times=days, values=mean, tone="soft"),
            Series(name="minimum night flow", times=days,
                   values=balance["mnf_m3_per_h"].to_list()),
            Series(name="above the limit", times=[_midnight(n, zone) for n in above["night"]],
                   values=above["mnf_m3_per_h"].to_list(), kind="dots", tone="limit"),
            Series(name="3 nights or more", times=[_midnight(n, zone) for n in indicated["night"]],
                   values=indicated["mnf_m3_per_h"].to_list(), kind="dots", tone="alarm"),
        ],
        zone=zone,
        span=span,
        decimals=1,
    )  # fmt: skip


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
