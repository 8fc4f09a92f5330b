"""The daily and the weekly digest as assets, and their schedules."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from leak_assets.defs.partitions import SITES
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.code import code_version
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import find_site
from leak_assets.warehouse import Warehouse

_Written = tuple[dict[str, Any], dict[str, Any]]
"""The row of a digest, and what else the materialization says of it."""


class DigestConfig(dg.Config):
    """A UTC day, of a week any of its days; empty is the newest with incident rows."""

    day: str = ""


def _digest(
    name: str, write: Callable[[StepContext, str, date | None], _Written], *, code: str, what: str
) -> dg.AssetsDefinition:
    """Return the asset of a kind of digest: one row of a network's incidents when it is asked for.

    Parameters
    ----------
    name
        Table of the schema `incidents`.
    write
        Writes the row of a network and a day.
    code
        Module that makes it.
    """

    @dg.asset(
        key=["incidents", name],
        partitions_def=SITES,
        backfill_policy=dg.BackfillPolicy.multi_run(),
        deps=[
            dg.AssetDep(
                ["incidents", "incident_days"],
                partition_mapping=dg.MultiToSingleDimensionPartitionMapping("site"),
            )
        ],
        code_version=code_version(code),
        description=what,
    )
    def digest(
        context: dg.AssetExecutionContext, platform: Platform, config: DigestConfig
    ) -> Iterator[dg.MaterializeResult]:
        ctx = platform.of(context)
        day = date.fromisoformat(config.day) if config.day else None
        row, shown = write(ctx, context.partition_key, day)
        numbers = {key: row[key] for key in ("opened", "closed", "running", "value_eur")}
        yield dg.MaterializeResult(metadata={"dagster/row_count": 1, **shown, **numbers})

    return digest


def _of_day(ctx: StepContext, network: str, day: date | None) -> _Written:
    from leak_assets.summaries.daily import write_daily_digest

    row = write_daily_digest(ctx, ctx.registered_network(network).name, day)
    is_model = row["generated_by"] == "llm_summarizer"
    return row, {
        "digest": dg.MetadataValue.text(row["summary"]),
        "by_language_model": int(is_model),
        "by_template": int(not is_model),
    }


def _of_week(ctx: StepContext, network: str, day: date | None) -> _Written:
    from leak_assets.reports.digest import write_digest

    row = write_digest(ctx, ctx.registered_network(network), day)
    page = (ctx.settings.home.resolve() / row["page"]).as_uri()
    return row, {"page": dg.MetadataValue.url(page)}


daily_digests = _digest(
    "daily_digests",
    _of_day,
    code="leak_assets.summaries.daily",
    what="A day of a network's incidents in words and as a row.",
)
weekly_digests = _digest(
    "weekly_digests",
    _of_week,
    code="leak_assets.reports.digest",
    what="A week of a network's incidents as a page and a row.",
)

DIGEST = dg.define_asset_job(
    "weekly_digest",
    selection=dg.AssetSelection.assets(weekly_digests),
    description="The digest of a network's last whole week.",
)


DAILY_DIGEST = dg.define_asset_job(
    "daily_digest",
    selection=dg.AssetSelection.assets(daily_digests),
    description="The digest of a network's last day.",
)


@dg.schedule(
    job=DAILY_DIGEST,
    cron_schedule="0 5 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The digests of the day before, of all networks that have incident rows of it.",
)
def mornings(
    context: dg.ScheduleEvaluationContext, platform: Platform
) -> list[dg.RunRequest] | dg.SkipReason:
    """Request one run for each network."""
    day = (context.scheduled_execution_time.date() - timedelta(days=1)).isoformat()
    config = dg.RunConfig(ops={"incidents__daily_digests": DigestConfig(day=day)})
    warehouse = Warehouse(platform.settings().warehouse_dir)
    known = set(context.instance.get_dynamic_partitions(str(SITES.name)))
    names = [
        partition["network"]
        for partition in warehouse.partitions("incidents.incident_days", date=day)
        if partition["network"] in known
    ]
    if not names:
        return dg.SkipReason(f"no network has incident rows of {day}")
    return [
        dg.RunRequest(run_key=f"{name}:{day}", partition_key=name, run_config=config)
        for name in names
    ]


@dg.schedule(
    job=DIGEST,
    cron_schedule="0 6 * * 1",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="The digests of all networks on Monday mornings.",
)
def weekly(
    context: dg.ScheduleEvaluationContext, platform: Platform
) -> list[dg.RunRequest] | dg.SkipReason:
    """Request one run for each network."""
    day = (context.scheduled_execution_time.date() - timedelta(days=7)).isoformat()
    config = dg.RunConfig(ops={"incidents__weekly_digests": DigestConfig(day=day)})
    names = [
        name
        for name in context.instance.get_dynamic_partitions(str(SITES.name))
        if find_site(name, platform.settings()).kind == "network"
    ]
    if not names:
        return dg.SkipReason("there is no network yet")
    return [
        dg.RunRequest(run_key=f"{name}:{day}", partition_key=name, run_config=config)
        for name in names
    ]
