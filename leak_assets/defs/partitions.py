"""The partitions of all assets, as named constants, and their way to and from the lake.

Dagster's dimension is the `site`, whatever its kind; tables of networks call the column and the
lake's partition `network`.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from leak_assets.pipeline.step import Partition, Partitioning, Read
from leak_assets.settings import FIRST_DAY

DAYS = dg.DailyPartitionsDefinition(FIRST_DAY.isoformat(), timezone="UTC", end_offset=1)
SITES = dg.DynamicPartitionsDefinition(name="site")
BATCHES = dg.StaticPartitionsDefinition([f"b{number:03d}" for number in range(100)])

DAY_SITE = dg.MultiPartitionsDefinition({"date": DAYS, "site": SITES})
BATCH_SITE = dg.MultiPartitionsDefinition({"batch": BATCHES, "site": SITES})

PARTITIONS: Mapping[Partitioning, dg.PartitionsDefinition] = {
    "day": DAY_SITE,
    "batch": BATCH_SITE,
    "site": SITES,
}

# A range of days is one run, so that days are taken in order and libraries load once. Batches
# are independent: each may be a run of its own, on any machine.
BACKFILL: Mapping[Partitioning, dg.BackfillPolicy] = {
    "day": dg.BackfillPolicy.single_run(),
    "batch": dg.BackfillPolicy.multi_run(),
    "site": dg.BackfillPolicy.multi_run(),
}

# Of steps that choose among the days before: reference days, days that incidents go on from.
ALL_EARLIER_DAYS = 3650

# Runs that merge into the same day must not overlap; the instance's settings limit this tag to
# one run for each site at a time.
SITE_TAG = "leak_assets/site"


def mapping_of(reads: Sequence[Read]) -> dg.PartitionMapping | None:
    """Return which days of a table a day reads, in one way or in several.

    None where Dagster's default says it.
    """
    spans = [
        (read.first_day, read.last_day) if read.days is None else (-ALL_EARLIER_DAYS, -1)
        for read in reads
    ]
    first, last = min(first for first, _ in spans), max(last for _, last in spans)
    if first == 0:
        return None
    days = dg.TimeWindowPartitionMapping(
        start_offset=first, end_offset=last, allow_nonexistent_upstream_partitions=True
    )
    same = dg.DimensionPartitionMapping("site", dg.IdentityPartitionMapping())
    return dg.MultiPartitionMapping(
        {"date": dg.DimensionPartitionMapping("date", days), "site": same}
    )


def day_key(day: date, site: str) -> str:
    """Return Dagster's key of a day and site."""
    return dg.MultiPartitionKey({"date": day.isoformat(), "site": site})


def batch_key(batch: str, site: str) -> str:
    """Return Dagster's key of a scenario batch and site."""
    return dg.MultiPartitionKey({"batch": batch, "site": site})


def range_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags of a run over a contiguous range of partition keys."""
    return {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }


def run_tags(days: Sequence[date], site: str) -> dict[str, str]:
    """Return the tags of a run over a contiguous range of days of one site."""
    return range_tags(day_key(min(days), site), day_key(max(days), site)) | {SITE_TAG: site}


def partitions_by_site(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
    partitioning: Partitioning = "day",
) -> dict[str, list[Partition]]:
    """Return the lake partitions of a run, in order, for each of its sites."""
    found: dict[str, list[Partition]] = {}
    definition = PARTITIONS[partitioning]
    for key in sorted(context.partition_keys):
        if isinstance(definition, dg.MultiPartitionsDefinition):
            values = dict(definition.get_partition_key_from_str(key).keys_by_dimension)
        else:
            values = {"site": key}
        site = values.pop("site")
        found.setdefault(site, []).append({**values, "network": site})
    return found


def days_by_site(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
) -> dict[str, list[date]]:
    """Return the run's days, in order, for each of its sites."""
    return {
        site: [date.fromisoformat(partition["date"]) for partition in partitions]
        for site, partitions in partitions_by_site(context).items()
    }


def dagster_key(partition: Mapping[str, str], available: Sequence[str]) -> str | None:
    """Return the key among `available` that a lake partition belongs to, if there is one."""
    key = key_of(partition)
    return key if key in available else None


def key_of(partition: Mapping[str, str]) -> str | None:
    """Return Dagster's key of a lake partition; None where it is no site's."""
    site = partition.get("network") or partition.get("site")
    if site is None:
        return None
    if "date" in partition:
        return day_key(date.fromisoformat(partition["date"]), site)
    if "batch" in partition:
        return batch_key(partition["batch"], site)
    return site
