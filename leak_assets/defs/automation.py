"""The sensor that brings a site up to date when what it was made from has changed, or a run died.

A corrected reference day, a new champion, other code or another setting: the records of the
tables say so (`runs.freshness`), for the command line and for Dagster alike. Dagster's automation
conditions would judge the same again over every day there could ever be (ADR 0014).
"""

import json

import dagster as dg

from leak_assets.defs.partitions import SITE_TAG, SITES, day_key, run_tags
from leak_assets.defs.resources import Platform
from leak_assets.defs.telemetry.jobs import MICRO_BATCH_OF, MICRO_BATCHES
from leak_assets.defs.telemetry.sensors import sites_under_way
from leak_assets.runs.freshness import (
    days_with_readings,
    hash_of,
    staleness,
    through_newest,
    unfinished_days,
)

NAME = "stale_days"
LOOK_EVERY_S = 30


@dg.sensor(
    name=NAME,
    jobs=MICRO_BATCHES,
    minimum_interval_seconds=LOOK_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs the micro-batch of a site's newest day when a table of it would be written"
    " differently now, and of all days from the first that a killed run has left half done. The"
    " same state is asked for once: a day that cannot be made ends it.",
)
def stale_days(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """Request one run for each site with days to make and for which none is under way.

    The cursor has each site's half-done days that were last asked for: where they cannot be
    made, the newest day does not wait for them.
    """
    busy = sites_under_way(context.instance)
    ctx = platform.at(NAME)
    asked: dict[str, str] = json.loads(context.cursor or "{}")
    requests = []
    for name in context.instance.get_dynamic_partitions(str(SITES.name)):
        days = days_with_readings(ctx, name)
        if not days or name in busy:
            continue
        site = ctx.site(name)
        unfinished = unfinished_days(ctx, site)
        # The newest day may grow by the minute: it is the case below.
        unfinished.pop(days[-1], None)
        first = next(iter(unfinished), None)
        key = f"unfinished:{name}:{first}:{hash_of(list(unfinished.items()))}"
        if first and asked.get(name) != key:
            asked[name] = key
            requests.append(
                dg.RunRequest(
                    run_key=key,
                    job_name=MICRO_BATCH_OF[site.kind].name,
                    tags=run_tags(through_newest(ctx, name, [first]), name),
                )
            )
        elif state := staleness(ctx, site, days[-1]):
            requests.append(
                dg.RunRequest(
                    run_key=f"stale:{name}:{days[-1]}:{state}",
                    job_name=MICRO_BATCH_OF[site.kind].name,
                    partition_key=day_key(days[-1], name),
                    tags={SITE_TAG: name},
                )
            )
    reason = None if requests else "all days are made and the newest are up to date"
    return dg.SensorResult(run_requests=requests, skip_reason=reason, cursor=json.dumps(asked))
