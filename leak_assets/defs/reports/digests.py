"""The weekly digest as an asset, and its schedule."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from leak_assets.defs.partitions import SITES
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.code import code_version
from leak_assets.sites.site import find_site

KEY = ["incidents", "weekly_digests"]


class DigestConfig(dg.Config):
    """A day of the week; empty is the last whole week with incident rows."""

    week: str = ""


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
