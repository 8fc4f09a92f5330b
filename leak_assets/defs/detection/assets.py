"""Assets of the scores: what the models in force say of each window."""

from collections.abc import Iterator

import dagster as dg

from leak_assets.defs.partitions import DAY_NETWORK, SAME_AND_PREVIOUS_DAY, SINGLE_RUN
from leak_assets.defs.policy import table_specs
from leak_assets.defs.publish import for_all_days, publish
from leak_assets.defs.resources import Platform
from leak_assets.detection.steps import CODE_VERSION, write_scores

SCORES = ("scores.window_scores", "scores.leak_candidates")


@dg.multi_asset(
    name="window_scores",
    specs=table_specs(
        SCORES,
        deps=[
            dg.AssetDep(["features", "residuals"], partition_mapping=SAME_AND_PREVIOUS_DAY),
            ["models", "registry_events"],
        ],
        partitions_def=DAY_NETWORK,
        code_version=CODE_VERSION,
    ),
    backfill_policy=SINGLE_RUN,
)
def window_scores(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """Every window scored by the detector, alarmed ones ranked by the pinpointer."""
    yield from publish(context, SCORES, for_all_days(context, platform, write_scores))
