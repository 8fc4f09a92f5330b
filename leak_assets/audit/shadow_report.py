"""How a challenger in shadow mode compares with the model in use; whether it may replace it.

Both are taken through detection once more, in memory, for what their incidents would be worth; the
answers by window come from the tables that both wrote.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.detection.windows.scoring import METHOD
from leak_assets.detection.windows.shadow import TABLE as SHADOW
from leak_assets.models.artefact import Artefact
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.decisions import step_to
from leak_assets.models.in_use import challengers, champions, version_partition
from leak_assets.models.registry import CHAMPION
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.settings import Settings
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.schemas.models import SHADOW_REPORT

from .rescore import Variant, rescore

TABLE = SHADOW_REPORT.full_name
SCORES, CANDIDATES = "detection.window_scores", "detection.window_candidates"


def write_shadow_reports(
    ctx: StepContext, site: NetworkSite, *, may_promote: bool = True
) -> pl.DataFrame:
    """Write and return a row of `models.shadow_report` for each challenger.

    With the setting `MODEL_PROMOTION=automatic` a challenger for which the rule holds goes into
    use.

    Parameters
    ----------
    may_promote
        Whether that setting is followed.
    """
    in_use = champions(ctx, site)
    rows = [
        shadow_report(ctx, site, one, in_use[one.model])
        for one in challengers(ctx, site)
        if one.model in in_use
    ]
    for row in rows:
        frame = pl.DataFrame([row], schema=SHADOW_REPORT.polars_schema)
        version = f"{row['model']}-{row['version']}"
        ctx.warehouse.write(TABLE, {"version": version, "network": site.name}, frame)
        if may_promote and row["may_be_promoted"] and ctx.settings.model_promotion == "automatic":
            step_to(
                ctx, site.name, row["model"], row["version"], CHAMPION,
                actor="promotion rule", note=row["reason"],
            )  # fmt: skip
    return pl.DataFrame(rows, schema=SHADOW_REPORT.polars_schema)


def shadow_report(
    ctx: StepContext, site: NetworkSite, challenger: Artefact, champion: Artefact
) -> dict[str, Any]:
    """Return the row of a challenger: what both said of the days that both scored."""
    days = _days(ctx, site.name)
    pairs = [
        frame
        for day in days
        if (frame := _pairs(ctx, site.name, day, challenger, champion)) is not None
    ]
    both = pl.concat(pairs) if pairs else _NO_PAIRS
    shared = sorted(both["day"].unique().to_list())
    differs = pl.col("alarm") != pl.col("alarm_in_use")
    elsewhere = pl.col("alarm") & pl.col("alarm_in_use") & (pl.col("link") != pl.col("link_in_use"))
    if challenger.model == PINPOINTER:
        differs = elsewhere
        both = both.filter(pl.col("alarm"))
    disagreeing = both.filter(differs).height
    euro = _euros(ctx, site, challenger, champion, shared) if shared else _NO_EUROS
    row: dict[str, Any] = {
        "network": site.name,
        "model": challenger.model,
        "version": challenger.version,
        "champion_version": champion.version,
        "first_day": shared[0] if shared else None,
        "last_day": shared[-1] if shared else None,
        "days": len(shared),
        "windows": both.height,
        "agreement": 1 - disagreeing / both.height if both.height else None,
        "only_challenger": both.filter(pl.col("alarm") & ~pl.col("alarm_in_use")).height,
        "only_champion": both.filter(~pl.col("alarm") & pl.col("alarm_in_use")).height,
        "other_place": both.filter(elsewhere).height,
        **euro,
        "euro_difference": euro["challenger_eur"] - euro["champion_eur"],
        "reported_at": datetime.now(UTC),
    }
    failure = promotion_failure(row, ctx.settings)
    return row | {
        "may_be_promoted": failure is None,
        "reason": failure or f"{row['days']} days, {_percent(row['agreement'])} of windows agree",
    }


def promotion_failure(row: dict[str, Any], settings: Settings) -> str | None:
    """Return why the rule of the settings does not hold for a row of the report, or None."""
    if row["days"] < settings.shadow_min_days:
        return (
            f"{row['days']} days in shadow mode, SHADOW_MIN_DAYS asks for"
            f" {settings.shadow_min_days}"
        )
    disagreement = 1 - (1.0 if row["agreement"] is None else row["agreement"])
    if disagreement > settings.shadow_most_disagreement:
        return (
            f"{disagreement:.1%} of {row['windows']} windows are answered differently,"
            f" SHADOW_MOST_DISAGREEMENT allows {settings.shadow_most_disagreement:.1%}"
        )
    return None


def _days(ctx: StepContext, network: str) -> list[date]:
    scored = ctx.warehouse.days(SCORES, network) & ctx.warehouse.days(SHADOW, network)
    return [date.fromisoformat(text) for text in sorted(scored)]


_NO_PAIRS = pl.DataFrame(
    schema={
        "day": pl.Date,
        "alarm": pl.Boolean,
        "alarm_in_use": pl.Boolean,
        "link": pl.String,
        "link_in_use": pl.String,
    }
)


def _pairs(
    ctx: StepContext, network: str, day: date, challenger: Artefact, champion: Artefact
) -> pl.DataFrame | None:
    """Return the windows of a day that both scored; None where one of them did not."""
    partition = day_partition(day, network)
    mine = ctx.warehouse.read(SHADOW, partition)
    theirs = ctx.warehouse.read(SCORES, partition)
    places = ctx.warehouse.read(CANDIDATES, partition)
    if mine is None or theirs is None or places is None:
        return None
    mine = mine.filter(
        model=challenger.model, method_version=challenger.version, state="scored"
    ).select("window_start", alarm="is_alarm", link="top_link_id")
    record = ctx.warehouse.record(SCORES, partition)
    scored_by = {i.name: i.version for i in record.inputs if i.kind == "model"} if record else {}
    if scored_by.get(champion.model) != champion.version or mine.is_empty():
        return None
    best = places.filter(rank=1).select("window_start", link_in_use="link_id")
    return (
        mine.join(
            theirs.filter(state="scored").select("window_start", alarm_in_use="is_alarm"),
            on="window_start",
        )
        .join(best, on="window_start", how="left")
        .select(pl.lit(day).alias("day"), "alarm", "alarm_in_use", "link", "link_in_use")
    )


_NO_EUROS: dict[str, Any] = {
    "challenger_incidents": 0,
    "champion_incidents": 0,
    "challenger_eur": 0.0,
    "champion_eur": 0.0,
}


def _euros(
    ctx: StepContext,
    site: NetworkSite,
    challenger: Artefact,
    champion: Artefact,
    days: list[date],
) -> dict[str, Any]:
    """Return how many incidents each would have raised in a range of days, and their value."""
    if challenger.model != DETECTOR:
        # Where a leak is changes no incident's value.
        return _NO_EUROS
    whole = [days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1)]
    found: dict[str, Any] = {}
    for who, artefact in (("challenger", challenger), ("champion", champion)):
        tracked = rescore(
            ctx, site, Variant(method=METHOD, model=artefact.version), whole, is_anew=True
        ).tracked
        last = tracked.incident_events.sort("event_at", "revision").unique(
            "incident_id", keep="last"
        )
        found[f"{who}_incidents"] = last.height
        found[f"{who}_eur"] = float(last["value_eur"].fill_null(0.0).sum()) if last.height else 0.0
    return found


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def report_of(ctx: StepContext, artefact: Artefact) -> dict[str, Any] | None:
    """Return the last report about a version, or None."""
    found = ctx.warehouse.read(TABLE, version_partition(artefact))
    return None if found is None or found.is_empty() else found.row(0, named=True)
