"""A utility's smart meters as their page shows them: whose water never rests, and what it costs."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from leak_assets.reports.charts import Chart, Series, draw_chart
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.known_sites import KnownSite

SHOWN, CHART_DAYS = 100, 90
ORDERS = {"lost": "rank", "flow": "rank_by_flow"}
"""Column that the meters are listed by, by what the address says."""
_FLOWS, _DAYS = "household.continuous_flow", "household.meter_days"
_BY_DAY = """
    SELECT day, sum(leak_l_per_h) / 1000 AS m3_per_h FROM {days} GROUP BY day ORDER BY day
"""
_MEASURED = "SELECT count(*) FILTER (measured_h > 0) AS measured, count(*) AS known FROM {days}"
_HALF_DAY = timedelta(hours=12)


def meters_view(
    serving: Serving, _caller: Caller, site: KnownSite, *, by: str | None
) -> dict[str, Any]:
    """Return what the page of a site's meters shows; `day` is None before its first day.

    Parameters
    ----------
    by
        A key of `ORDERS`; anything else: by what was lost.
    """
    days = serving.rows.days(_DAYS, [site.name])
    if not days:
        return {"day": None}
    day = days[0][0]
    order = by if by in ORDERS else "lost"
    flows = serving.rows.rows(_FLOWS, day, site.name).sort(ORDERS[order])
    measured = serving.store.ask_days(_MEASURED, _DAYS, site.name, newest=1).row(0, named=True)
    return {
        "day": day,
        "by": order,
        "meters": flows.head(SHOWN).to_dicts(),
        "running": flows.height,
        **measured,
        "lost_m3": flows["lost_m3"].sum(),
        "lost_eur": flows["lost_eur"].sum(),
        "eur_per_year": flows["eur_per_year"].sum(),
        "chart": _chart(serving, site),
    }


def _chart(serving: Serving, site: KnownSite) -> Chart | None:
    """Return what ran without rest, day by day."""
    found = serving.store.ask_days(_BY_DAY, _FLOWS, site.name, newest=CHART_DAYS)
    if found.is_empty():
        return None
    times = [datetime.combine(day, time(12), UTC) for day in found["day"]]
    return draw_chart(
        "Continuous flow of all meters",
        "m³/h",
        [Series(name="continuous flow", times=times, values=found["m3_per_h"].to_list())],
        zone=site.timezone,
        span=(times[0] - _HALF_DAY, times[-1] + _HALF_DAY),
        decimals=2,
        from_zero=True,
    )
