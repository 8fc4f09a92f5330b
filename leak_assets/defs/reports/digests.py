"""The daily and the weekly digest as assets, and their schedules."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from leak_assets.defs.partitions import SITES
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.code import code_version
from leak_assets.sites.site import find_site
from leak_assets.warehouse import Warehouse

KEY = ["incidents", "weekly_digests"]
DAILY_KEY = ["incidents", "daily_digests"]


class DigestConfig(dg.Config):
    """A day of the week; empty is the last whole week with incident rows."""

    week: str = ""


class DayConfig(dg.Config):
    """A UTC day; empty is the newest with incident rows."""

    day: str = ""


@dg.asset(
    key=DAILY_KEY,
    partitions_def=SITES,
    backfill_policy=dg.BackfillPolicy.multi_run(),
    deps=[
        dg.AssetDep(
            ["incidents", "incident_days"],
            partition_mapping=dg.MultiToSingleDimensionPartitionMapping("site"),
        )
    ],
    code_version=code_version("leak_assets.summaries.daily"),
    description="A day of a network's incidents in words and as a row.",
)
def daily_digests(
    context: dg.AssetExecutionContext, platform: Platform, config: DayConfig
) -> Iterator[dg.MaterializeResult]:
    """A day of a network's incidents in words, by a language model or by the template."""
    from leak_assets.summaries.daily import write_daily_digest

    ctx = platform.of(context)
    day = date.fromisoformat(config.day) if config.day else None
    row = write_daily_digest(ctx, ctx.registered_network(context.partition_key).name, day)
    is_model = row["generated_by"] == "llm_summarizer"
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": 1,
            "digest": dg.MetadataValue.text(row["summary"]),
            "by_language_model": int(is_model),
            "by_template": int(not is_model),
            **{name: row[name] for name in ("opened", "closed", "running", "value_eur")},
        }
    )


@dg.asset(
    key=KEY,
    partitions_def=SITES,
    backfill_policy=dg.BackfillPolicy.multi_run(),
    deps=[
        dg.AssetDep(
            ["incidents", "incident_days"],
            partition_mapping=dg.MultiToSingleDimensionPartitionMapping("site"),
        )
    ],
    code_version=code_version("leak_assets.reports.digest"),
    description="A week of a network's incidents as a page and a row.",
)
def weekly_digests(
    context: dg.AssetExecutionContext, platform: Platform, config: DigestConfig
) -> Iterator[dg.MaterializeResult]:
    """A week of a network's incidents: what opened, what ended, what runs, what it cost."""
    from leak_assets.reports.digest import write_digest

    ctx = platform.of(context)
    day = date.fromisoformat(config.week) if config.week else None
    row = write_digest(ctx, ctx.registered_network(context.partition_key), day)
    page = (ctx.settings.home.resolve() / row["page"]).as_uri()
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": 1,
            "page": dg.MetadataValue.url(page),
            **{name: row[name] for name in ("opened", "closed", "running", "value_eur")},
        }
    )


DIGEST = dg.define_asset_job(
    "weekly_digest",
    selection=dg.AssetSelection.assets(KEY),
    description="The digest of a network's last whole week.",
)


DAILY_DIGEST = dg.define_asset_job(
    "daily_digest",
    selection=dg.AssetSelection.assets(DAILY_KEY),
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
    config = dg.RunConfig(ops={"incidents__daily_digests": DayConfig(day=day)})
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
    config = dg.RunConfig(ops={"incidents__weekly_digests": DigestConfig(week=day)})
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
