"""Assets of the incidents: rows a crew acts on, and their texts."""

from collections.abc import Iterator

import dagster as dg

from leak_assets.defs.partitions import DAY_NETWORK, INCIDENT_CONTEXT, SINGLE_RUN, days_by_network
from leak_assets.defs.policy import table_specs
from leak_assets.defs.publish import for_all_days, publish
from leak_assets.defs.resources import Platform
from leak_assets.incidents.steps import CODE_VERSION, TABLES, incident_plots, write_incidents
from leak_assets.summaries.steps import CODE_VERSION as SUMMARIES_CODE_VERSION
from leak_assets.summaries.steps import write_summaries

SUMMARIES = ("incidents.summaries",)


@dg.multi_asset(
    name="incidents",
    specs=table_specs(
        TABLES,
        deps=[
            dg.AssetDep(["scores", "window_scores"], partition_mapping=INCIDENT_CONTEXT),
            dg.AssetDep(["scores", "leak_candidates"], partition_mapping=INCIDENT_CONTEXT),
            dg.AssetDep(["features", "residuals"], partition_mapping=INCIDENT_CONTEXT),
            ["network", "links"],
        ],
        partitions_def=DAY_NETWORK,
        code_version=CODE_VERSION,
    ),
    backfill_policy=SINGLE_RUN,
)
def incidents(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """Consecutive alarms as one incident: where, since when, how much.

    A day also goes on from the incidents of all days before it, which no partition mapping can
    say: make it anew together with all later days.
    """
    written = for_all_days(context, platform, write_incidents)
    by_network = {
        network: incident_plots(platform.of(context), network, days)
        for network, days in days_by_network(context).items()
    }
    plots = {
        title if len(by_network) == 1 else f"{title} of {network}": png
        for network, pictures in by_network.items()
        for title, png in pictures.items()
    }
    yield from publish(context, TABLES, written, plots=plots)


@dg.multi_asset(
    name="summaries",
    specs=table_specs(
        SUMMARIES,
        deps=[
            ["incidents", "incident_events"],
            ["incidents", "candidates"],
            ["incidents", "evidence"],
        ],
        partitions_def=DAY_NETWORK,
        code_version=SUMMARIES_CODE_VERSION,
        kinds={"openai"},
    ),
    backfill_policy=SINGLE_RUN,
)
def summaries(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """The text of each incident revision, by a language model or by the template."""
    yield from publish(context, SUMMARIES, for_all_days(context, platform, write_summaries))
