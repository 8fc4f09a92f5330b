"""When assets materialize by themselves: changed inputs, but never past a failed check."""

import dagster as dg

from leak_assets.pipeline.step import Step


def follow_upstream(step: Step) -> dg.AutomationCondition | None:
    """Return when the tables of a step follow their inputs; None where they never do.

    Days follow their readings; raw readings follow deliveries, models follow their schedule.
    What is missing does not matter: the step itself knows which inputs it requires, and Dagster
    would wait for every day there ever could have been.
    """
    if step.partition != "day" or step.run is not None:
        return None
    condition = dg.AutomationCondition
    # Inside a run Dagster stops at a failed blocking check by itself; this is across runs.
    failed = condition.check_failed() & ~condition.will_be_requested()
    failed_before = condition.any_deps_match(condition.any_checks_match(failed, blocking_only=True))
    if chosen := _only_chosen(step):
        # One red day would stop all later ones.
        failed_before = failed_before.ignore(
            dg.AssetSelection.assets(*(table.split(".") for table in chosen))
        )
    return (
        condition.in_latest_time_window()
        & condition.any_deps_updated().since_last_handled()
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        & ~failed_before
    ).with_label("follow upstream unless a blocking check failed")


def _only_chosen(step: Step) -> list[str]:
    """Return the tables of which a step chooses among all earlier days, and reads no others."""
    always = {read.table for read in step.reads if read.days is None}
    return sorted({read.table for read in step.reads} - always)


AUTOMATION = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
)
