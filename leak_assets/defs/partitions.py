"""The partitions of all assets, as named constants, and their way to and from the lake."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from leak_assets.incidents.policy import TrackerPolicy
from leak_assets.settings import FIRST_DAY

DAYS = dg.DailyPartitionsDefinition(FIRST_DAY.isoformat(), timezone="UTC", end_offset=1)
NETWORKS = dg.DynamicPartitionsDefinition(name="network")
BATCHES = dg.StaticPartitionsDefinition([f"b{number:03d}" for number in range(100)])

DAY_NETWORK = dg.MultiPartitionsDefinition({"date": DAYS, "network": NETWORKS})
BATCH_NETWORK = dg.MultiPartitionsDefinition({"batch": BATCHES, "network": NETWORKS})

# A range of days is one run, so that days are taken in order and libraries load once.
SINGLE_RUN = dg.BackfillPolicy.single_run()

SAME_NETWORK = dg.DimensionPartitionMapping("network", dg.IdentityPartitionMapping())


def _with_days_before(days: int) -> dg.MultiPartitionMapping:
    """Return the mapping of a day to itself and the days before it, of the same network."""
    return dg.MultiPartitionMapping(
        {
            "date": dg.DimensionPartitionMapping(
                "date",
                dg.TimeWindowPartitionMapping(
                    start_offset=-days, end_offset=0, allow_nonexistent_upstream_partitions=True
                ),
            ),
            "network": SAME_NETWORK,
        }
    )


# A window that ends in the first hours of a day begins on the day before.
SAME_AND_PREVIOUS_DAY = _with_days_before(1)
# The start of a leak is searched, and its flow and place are reckoned, that far back.
INCIDENT_CONTEXT = _with_days_before(TrackerPolicy().context_days)


def day_key(day: date, network: str) -> str:
    """Return Dagster's key of a day and network."""
    return dg.MultiPartitionKey({"date": day.isoformat(), "network": network})


def run_tags(days: Sequence[date], network: str) -> dict[str, str]:
    """Return the tags of a run over a contiguous range of days of one network."""
    return {
        "dagster/asset_partition_range_start": day_key(min(days), network),
        "dagster/asset_partition_range_end": day_key(max(days), network),
        NETWORK_TAG: network,
    }


# Runs that merge into the same day must not overlap; `dagster.yaml` limits this tag to one run
# for each network at a time.
NETWORK_TAG = "leak_assets/network"


def days_by_network(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
) -> dict[str, list[date]]:
    """Return the run's days, in order, for each of its networks."""
    found: dict[str, list[date]] = {}
    for key in context.partition_keys:
        dimensions = DAY_NETWORK.get_partition_key_from_str(key).keys_by_dimension
        found.setdefault(dimensions["network"], []).append(date.fromisoformat(dimensions["date"]))
    return {network: sorted(days) for network, days in found.items()}


def batches_by_network(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
) -> dict[str, list[str]]:
    """Return the run's scenario batches, in order, for each of its networks."""
    found: dict[str, list[str]] = {}
    for key in context.partition_keys:
        dimensions = BATCH_NETWORK.get_partition_key_from_str(key).keys_by_dimension
        found.setdefault(dimensions["network"], []).append(dimensions["batch"])
    return {network: sorted(batches) for network, batches in found.items()}


def dagster_key(partition: dict[str, str], available: Sequence[str]) -> str | None:
    """Return the key among `available` that a lake partition belongs to, if there is one."""
    if "network" not in partition:
        return None
    if "date" in partition:
        key: str = dg.MultiPartitionKey({k: partition[k] for k in ("date", "network")})
    elif "batch" in partition:
        key = dg.MultiPartitionKey({k: partition[k] for k in ("batch", "network")})
    else:
        key = partition["network"]
    return key if key in available else None
