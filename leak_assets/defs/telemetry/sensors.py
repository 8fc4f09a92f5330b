"""The landing-zone sensor: every waiting file gets a run, and another until the ledger has it."""

import time

import dagster as dg

from leak_assets.defs.partitions import SITE_TAG, SITES, day_key, run_tags
from leak_assets.defs.resources import Platform
from leak_assets.defs.sites.jobs import NETWORK_MODEL
from leak_assets.runs.freshness import through_newest
from leak_assets.sites.site import find_site
from leak_assets.telemetry.sources.every import EverySource
from leak_assets.telemetry.sources.intake import (
    MOST_ATTEMPTS,
    Attempts,
    IntakeRun,
    given_up,
    plan_runs,
)

from .jobs import MICRO_BATCH_OF, MICRO_BATCHES

NAME = "landing_zone"
# What a network's first days read of the whole network.
NETWORK_TABLES = ("network.links", "simulation.leak_signatures")
# A tick looks at the landing zone again and again before it ends: a tick every second costs
# more than a look every tenth of a second, and the file is seen sooner.
TICK_S = 8.0
LOOK_EVERY_S = 0.1
# Asked for by status alone: they are few, while a tag would find every run there ever was.
_UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    name=NAME,
    jobs=[*MICRO_BATCHES, NETWORK_MODEL],
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs the micro-batch for the files that wait in `var/landing/<network>/` and for"
    " what streams brought. A delivery has arrived when the ledger has it; the cursor counts"
    " attempts.",
)
def landing_zone(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """Request one micro-batch for each network and range of days with waiting files."""
    attempts = Attempts.from_json(context.cursor)
    source = EverySource(platform.settings(), platform.at(NAME).warehouse)
    deadline = time.monotonic() + TICK_S
    while True:
        waiting = source.waiting()
        busy = sites_under_way(context.instance, sensor=NAME) if waiting else set()
        runs = plan_runs(waiting, attempts, busy=busy)
        # A wrong folder does not pass by itself: telling it once a tick is enough.
        if runs or time.monotonic() > deadline:
            break
        time.sleep(LOOK_EVERY_S)
    attempts.keep(waiting)
    problems = source.problems() + given_up([d for d in waiting if d.network not in busy], attempts)
    for problem in problems:
        context.log.warning(problem)
    if not runs:
        state = f"{', '.join(sorted(busy))}: a run is under way" if busy else "no new files"
        return dg.SensorResult(skip_reason="; ".join([state, *problems]), cursor=attempts.to_json())
    warehouse = platform.at(NAME).warehouse
    requests = []
    for run in runs:
        kind = find_site(run.network, platform.settings()).kind
        missing = [t for t in NETWORK_TABLES if not warehouse.partitions(t, network=run.network)]
        if kind == "network" and missing and attempts.of_model(run.network) < MOST_ATTEMPTS:
            requests.append(_model_first(run, attempts.count_model(run.network)))
        else:
            attempts.count(run)
            requests.append(_request(run, MICRO_BATCH_OF[kind].name, platform))
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[SITES.build_add_request([run.network for run in runs])],
        cursor=attempts.to_json(),
    )


def sites_under_way(instance: dg.DagsterInstance, *, sensor: str | None = None) -> set[str]:
    """Return the sites for which a run has not ended; of one sensor, where it is named."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
    return {
        run.tags[SITE_TAG]
        for run in runs
        if SITE_TAG in run.tags and sensor in (None, run.tags.get("dagster/sensor_name"))
    }


def _request(run: IntakeRun, job: str, platform: Platform) -> dg.RunRequest:
    """Return the request of a run: its days, and all later ones, which go on from them."""
    days = through_newest(platform.at(run.key), run.network, run.days)
    if len(days) == 1:
        return dg.RunRequest(
            run_key=run.key,
            job_name=job,
            partition_key=day_key(days[0], run.network),
            tags={SITE_TAG: run.network},
        )
    tags = run_tags(days, run.network)
    return dg.RunRequest(run_key=run.key, job_name=job, tags=tags)


def _model_first(run: IntakeRun, attempt: int) -> dg.RunRequest:
    """Return the request of what a new network's first days need; its files wait for that.

    A network whose leak signatures cannot be made goes on without them after some attempts.
    """
    return dg.RunRequest(
        run_key=f"network:{run.key}:{attempt}",
        job_name=NETWORK_MODEL.name,
        partition_key=run.network,
        tags={SITE_TAG: run.network},
    )
