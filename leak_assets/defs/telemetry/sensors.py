"""The landing-zone sensor: every new file gets one run, retried until it succeeds."""

import time

import dagster as dg

from leak_assets.defs.partitions import SITE_TAG, SITES, day_key, run_tags
from leak_assets.defs.resources import Platform
from leak_assets.runs.freshness import through_newest
from leak_assets.telemetry.sources.inbox import MOST_ATTEMPTS, Cursor, Delivery, waiting_deliveries

from .jobs import MICRO_BATCH

# A tick looks at the landing zone again and again before it ends: a tick every second costs
# more than a look every quarter of a second, and the file is seen sooner.
TICK_S = 8.0
LOOK_EVERY_S = 0.25


@dg.sensor(
    name="landing_zone",
    job=MICRO_BATCH,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs the micro-batch for new files in `var/landing/<network>/`."
    " A file counts as taken only when its run has succeeded.",
)
def landing_zone(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """Request one micro-batch for each network and range of days with new files."""
    cursor = Cursor.from_json(context.cursor)
    settings = platform.settings()
    deadline = time.monotonic() + TICK_S
    while True:
        settled = _settle_finished_runs(context, cursor)
        deliveries, problems = waiting_deliveries(settings, cursor)
        # A wrong folder does not pass by itself: telling it once a tick is enough.
        if deliveries or settled or time.monotonic() > deadline:
            break
        time.sleep(LOOK_EVERY_S)
    for problem in problems:
        context.log.warning(problem)
    requests = [_request(cursor.take(d), d, platform) for d in deliveries]
    if not requests:
        waiting = f"{len(cursor.in_flight)} runs under way" if cursor.in_flight else "no new files"
        reason = "; ".join([waiting, *problems])
        return dg.SensorResult(skip_reason=reason, cursor=cursor.to_json())
    networks = sorted({delivery.network for delivery in deliveries})
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[SITES.build_add_request(networks)],
        cursor=cursor.to_json(),
    )


def _settle_finished_runs(context: dg.SensorEvaluationContext, cursor: Cursor) -> bool:
    """Move the cursor over files whose run succeeded; free those whose run failed."""
    settled = False
    for run_key in list(cursor.in_flight):
        runs = context.instance.get_runs(
            dg.RunsFilter(tags={"dagster/run_key": run_key, "dagster/sensor_name": "landing_zone"}),
            limit=1,
        )
        run = runs[0] if runs else None
        if (run is None and not cursor.is_lost(run_key)) or (run and not run.is_finished):
            continue
        settled = True
        if run and run.is_success:
            cursor.succeeded(run_key)
        elif cursor.failed(run_key) >= MOST_ATTEMPTS:
            context.log.error(
                "the run %s failed %d times; its files wait until they change or the sensor's"
                " cursor is reset",
                run_key,
                MOST_ATTEMPTS,
            )
    return settled


def _request(run_key: str, delivery: Delivery, platform: Platform) -> dg.RunRequest:
    """Return the run of a delivery: its days, and all later ones, which go on from them."""
    network = delivery.network
    days = through_newest(platform.at(run_key), network, delivery.days)
    if len(days) == 1:
        return dg.RunRequest(
            run_key=run_key, partition_key=day_key(days[0], network), tags={SITE_TAG: network}
        )
    return dg.RunRequest(run_key=run_key, tags=run_tags(days, network))
