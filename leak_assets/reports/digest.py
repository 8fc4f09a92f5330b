"""The digest of a week of a network: what opened, what ended, what runs, what it cost.

From the tables of the incidents alone; the row of `incidents.weekly_digests` and its page are
written together.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.errors import MissingInputError
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites.site import NetworkSite
from leak_assets.system.files import publish
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas import TABLES
from leak_assets.warehouse.schemas.incidents import WEEKLY_DIGESTS

from .page import shared_css, templates

DAYS = "incidents.incident_days"
WEEK = timedelta(days=7)
_COLUMNS = ["incident_id", "day", "status", "severity", "leak_start", "detected_at",
            "flow_m3_per_h", "volume_lost_m3", "value_eur", "top_link_id"]  # fmt: skip


def write_digest(ctx: StepContext, site: NetworkSite, day: date | None = None) -> dict[str, Any]:
    """Write the digest of the week of a day; by default the last whole week with incident rows.

    Returns
    -------
    dict
        The row of `incidents.weekly_digests`.

    Raises
    ------
    MissingInputError
        The network has no day of incidents.
    """
    known = sorted(
        date.fromisoformat(p["date"]) for p in ctx.warehouse.partitions(DAYS, network=site.name)
    )
    if not known:
        raise MissingInputError(
            f"{site.name} has no day of incidents",
            remedy=f"`leak-assets ingest PATH --network {site.name}` brings them",
        )
    week = monday(day) if day is not None else monday(known[-1] + timedelta(days=1)) - WEEK
    rows = _rows(ctx, site, week)
    row = _numbers(site.name, week, rows) | {"page": f"var/reports/digests/{site.name}-{week}.html"}
    page = digest_page(site.network.title, week, row, rows)
    publish(ctx.settings.home.resolve() / row["page"], page.encode())
    inputs = [
        entry
        for n in range(-1, 7)
        if (entry := ctx.warehouse.as_input(DAYS, day_partition(week + timedelta(n), site.name)))
    ]
    ctx.warehouse.write(
        WEEKLY_DIGESTS.full_name,
        {"week": week.isoformat(), "network": site.name},
        pl.DataFrame([row], schema=WEEKLY_DIGESTS.polars_schema),
        inputs=[*inputs, Input("network", site.network.inp_path.name, site.name,
                               site.network.sha256)],
    )  # fmt: skip
    return row


def digest_page(title: str, week: date, row: Mapping[str, Any], rows: pl.DataFrame) -> str:
    """Return the page of a week.

    Parameters
    ----------
    title
        Name of the network.
    row
        Its numbers.
    rows
        Rows of `incidents.incident_days` of the week and of the day before it.
    """
    newest = (
        rows.filter(pl.col("day") >= week)
        .sort("day")
        .group_by("incident_id", maintain_order=True)
        .last()
        .sort("value_eur", descending=True)
    )
    before = rows.filter(pl.col("day") < week).select("incident_id", was="volume_lost_m3")
    shown = newest.join(before, on="incident_id", how="left").with_columns(
        gained=pl.col("volume_lost_m3") - pl.col("was").fill_null(0.0)
    )
    return (
        templates(Path(__file__).parent / "digest_page")
        .get_template("page.html.j2")
        .render(
            css=shared_css(),
            title=title,
            week=week,
            last=week + timedelta(days=6),
            row=row,
            incidents=shown.to_dicts(),
            made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        )
    )


def monday(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def _rows(ctx: StepContext, site: NetworkSite, week: date) -> pl.DataFrame:
    frames = [TABLES[DAYS].empty().select(_COLUMNS)]
    for n in range(-1, 7):
        found = ctx.warehouse.read(DAYS, day_partition(week + timedelta(days=n), site.name))
        frames += [] if found is None else [found.select(_COLUMNS)]
    return pl.concat(frames)


def _numbers(network: str, week: date, rows: pl.DataFrame) -> dict[str, Any]:
    within = rows.filter(pl.col("day") >= week)
    last = within.sort("day").group_by("incident_id", maintain_order=True).last()
    running = last.filter(pl.col("status") != "closed")
    before = rows.filter(pl.col("day") < week)
    begin = datetime.combine(week, time(), UTC)
    opened = last.filter(pl.col("detected_at") > begin)
    gained = {
        name: float(last[name].sum())
        - float(before.join(last, on="incident_id", how="semi")[name].sum())
        for name in ("volume_lost_m3", "value_eur")
    }
    return {
        "network": network,
        "week": week,
        "opened": opened.height,
        "closed": last.height - running.height,
        "running": running.height,
        "flow_m3_per_h": round(float(running["flow_m3_per_h"].sum()), 3),
        "volume_lost_m3": round(gained["volume_lost_m3"], 3),
        "value_eur": round(gained["value_eur"], 2),
    }
