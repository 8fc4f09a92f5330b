"""The asset of the shadow reports: how challengers compare with the models in use."""

from collections.abc import Iterator

import dagster as dg

from leak_assets.defs.partitions import SITES
from leak_assets.defs.resources import Platform
from leak_assets.pipeline.code import code_version


@dg.asset(
    key=["models", "shadow_report"],
    partitions_def=SITES,
    backfill_policy=dg.BackfillPolicy.multi_run(),
    deps=[
        dg.AssetDep(["detection", "shadow_scores"], partition_mapping=dg.AllPartitionMapping()),
        ["models", "registry_events"],
    ],
    code_version=code_version("leak_assets.audit.shadow_report"),
    description="How challengers in shadow mode compare with the models in use.",
)
def shadow_report(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """Compare the challengers of a network; promote where the settings say so."""
    from leak_assets.audit.shadow_report import write_shadow_reports

    ctx = platform.of(context)
    rows = write_shadow_reports(ctx, ctx.registered_network(context.partition_key))
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows.height,
            **{
                f"{row['model']} {row['version']}": f"{row['reason']};"
                f" {row['euro_difference']:+,.0f} EUR"
                for row in rows.iter_rows(named=True)
            },
        }
    )
