"""When assets materialize by themselves: changed inputs, but never past a failed check."""

import dagster as dg

# The guard stops a failed blocking check across runs; inside a run Dagster does it by itself.
FOLLOW_UPSTREAM = (
    dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("follow upstream unless a blocking check failed")

AUTOMATION = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
)
