"""The sensor that tells others of incidents: it serves the sinks and requests no run."""

import dagster as dg

from leak_assets.defs.resources import Platform
from leak_assets.incidents.notifications import notify
from leak_assets.incidents.sinks import sinks

NAME = "notifications"
LOOK_EVERY_S = 30


@dg.sensor(
    name=NAME,
    minimum_interval_seconds=LOOK_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Queues what is news of incidents and sends it to the webhook and the folder of the"
    " settings; what a dead sink did not take is sent again later. Idle without a sink.",
)
def notifications(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
    """Carry out one pass of the outbox."""
    if not sinks(platform.settings()):
        return dg.SkipReason("no sink is named: NOTIFY_WEBHOOK_URL, NOTIFY_FOLDER")
    passed = notify(platform.at(NAME))
    for problem in passed.problems:
        context.log.warning(problem)
    return dg.SkipReason(
        f"{passed.queued} queued, {passed.sent} sent, {passed.failed} failed,"
        f" {passed.waiting} waiting, {passed.escalated} escalated"
    )
