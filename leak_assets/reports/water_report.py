"""The water balance as people read it: a line for each metered area, and a picture of its nights.

From tables alone; how they come about is the matter of the room `water`.
"""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from leak_assets.errors import InputError
from leak_assets.warehouse import Warehouse

from .drawing import (
    AMBER,
    BLUE,
    GRID,
    MUTED,
    RED,
    add_legend,
    as_png,
    date_axis,
    label_panel,
    panels,
    say_no_data,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Longer would be too fine to see a night; more areas too small.
PICTURE_SPAN, PICTURE_AREAS = timedelta(days=90), 10

BALANCE = """
    SELECT * FROM water.dma_balance_daily
    WHERE network = ? AND local_date BETWEEN ? AND ? ORDER BY zone_id, local_date
"""
BANDS = """
    SELECT * FROM water.night_flow_bands
    WHERE network = ? AND night BETWEEN ? AND ? ORDER BY zone_id, night
"""
AREAS = """
    WITH balance AS (
        SELECT * FROM water.dma_balance_daily WHERE network = $1 AND local_date BETWEEN $2 AND $3
    ), bands AS (
        SELECT * FROM water.night_flow_bands WHERE network = $1 AND night BETWEEN $2 AND $3
    )
    SELECT b.zone_id AS zone, count(*) AS days, avg(b.coverage) AS coverage,
        avg(b.net_inflow_m3) AS m3_per_day,
        100 * avg(b.non_revenue_m3)
            / avg(b.net_inflow_m3) FILTER (b.used_m3 IS NOT NULL) AS nrw_pct,
        median(b.mnf_m3_per_h) AS mnf_m3_per_h,
        median(b.net_night_flow_m3_per_h) AS nnf_m3_per_h,
        avg(b.losses_m3) AS lost_m3_per_day, avg(b.ili) AS ili,
        (SELECT count(*) FILTER (is_indication) FROM bands WHERE zone_id = b.zone_id)
            AS indicated,
        (SELECT arg_max(nights_above, night) FROM bands WHERE zone_id = b.zone_id)
            AS nights_above
    FROM balance AS b GROUP BY b.zone_id ORDER BY b.zone_id
"""


def reported_period(
    warehouse: Warehouse, network: str, first_day: date | None, last_day: date | None
) -> tuple[date, date]:
    """Return the local days of a report; by default the last 30 that have a balance.

    Raises
    ------
    InputError
        The site has no balance, or the last day is before the first.
    """
    newest = warehouse.sql(
        "SELECT max(local_date) AS day FROM water.dma_balance_daily WHERE network = ?", [network]
    )["day"][0]
    if newest is None:
        raise InputError(
            f"{network} has no water balance",
            remedy="It needs readings of flow meters that close an area: leak-assets ingest",
        )
    last = last_day or newest
    first = first_day or last - timedelta(days=29)
    if last < first:
        raise InputError(f"the last day {last} is before the first {first}", remedy="Swap them")
    return first, last


def area_rows(warehouse: Warehouse, network: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return a row for each area over some local days.

    Returns
    -------
    list of dict
        `zone`, `days`, `coverage`, `m3_per_day` (net inflow), `nrw_pct` (non-revenue water),
        medians of minimum and net night flow (`mnf_m3_per_h`, `nnf_m3_per_h`), `lost_m3_per_day`,
        `ili`, `indicated` nights, `nights_above` the band in a row by now; None where nothing is
        known.
    """
    rows = warehouse.sql(AREAS, [network, first, last]).to_dicts()
    return [{k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def balance_plot(warehouse: Warehouse, network: str, first: date, last: date) -> bytes:
    """Return the picture of a site's nights and days as PNG."""
    asked = [network, first, last]
    return balance_figure(warehouse.sql(BALANCE, asked), warehouse.sql(BANDS, asked))


def balance_figure(balance: pl.DataFrame, bands: pl.DataFrame) -> bytes:
    """Draw minimum night flow with its band, below the mean net inflow, for each area.

    Parameters
    ----------
    balance, bands
        Rows of `water.dma_balance_daily` and `water.night_flow_bands` of one site. Of more than
        ten areas those with most indicated nights are drawn.
    """
    indicated = bands.group_by("zone_id").agg(pl.col("is_indication").sum().alias("nights"))
    shown = (
        balance.group_by("zone_id")
        .agg(pl.col("net_inflow_m3").mean().alias("flow"))
        .join(indicated, on="zone_id", how="left")
        .sort("nights", "flow", "zone_id", descending=[True, True, False], nulls_last=True)
        .head(PICTURE_AREAS)["zone_id"]
        .sort()
    )
    figure, axes = panels(max(1, len(shown)), 0.7 + 1.6 * max(1, len(shown)))
    if shown.is_empty():
        say_no_data(axes[0])
    for axis, zone in zip(axes, shown, strict=False):
        _area_panel(axis, zone, balance.filter(zone_id=zone), bands.filter(zone_id=zone))
    if not shown.is_empty():
        date_axis(axes[-1])
        axes[-1].set_xlabel("local date", fontsize=8, color=MUTED)
        add_legend(axes[0], 5)
    return as_png(figure)


def _area_panel(axis: "Axes", zone: str, balance: pl.DataFrame, bands: pl.DataFrame) -> None:
    mean = balance["net_inflow_m3"] / balance["hours"]
    axis.plot(balance["local_date"], mean, color=MUTED, lw=1, label="mean net inflow")
    axis.fill_between(
        bands["night"], bands["usual_m3_per_h"], bands["upper_m3_per_h"],
        color=GRID, lw=0, label="usual to limit",
    )  # fmt: skip
    axis.plot(balance["local_date"], balance["mnf_m3_per_h"], color=BLUE, lw=1.2,
              label="minimum night flow")  # fmt: skip
    for name, color, label, size in (
        ("is_above", AMBER, "above the limit", 7),
        ("is_indication", RED, "3 nights or more", 9),
    ):
        nights = bands.filter(pl.col(name))
        axis.plot(nights["night"], nights["mnf_m3_per_h"], ".", color=color, ms=size, label=label)
    label_panel(axis, f"Area {zone}", "m³/h")
    axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
