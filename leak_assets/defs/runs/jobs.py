"""The job that removes what is old; it makes no table."""

import dagster as dg

from leak_assets.defs.resources import Platform
from leak_assets.runs.retention import apply_retention


@dg.op(description="Removes old interim tables and old revisions; raw readings and results stay.")
def remove_what_is_old(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Apply the settings of retention, and say what went."""
    ctx = platform.at(context.run.run_id, context.log.info)
    removals = apply_retention(ctx)
    for removal in removals:
        context.log.info(
            "%s: %d files, %.1f MB, %s to %s",
            removal.table,
            removal.files,
            removal.size_bytes / 1e6,
            removal.oldest,
            removal.newest,
        )
    context.add_output_metadata(
        {
            "files": sum(removal.files for removal in removals),
            "megabytes": sum(removal.size_bytes for removal in removals) / 1e6,
        }
    )


@dg.job(
    name="retention",
    executor_def=dg.in_process_executor,
    description="Interim tables and revisions that the settings call old.",
)
def retention() -> None:
    """Remove what is old."""
    remove_what_is_old()
