"""The whole way without a daemon: the steps of the graph, one after the other.

Dagster's assets carry out the same steps, so both ways give the same rows.
`python -m leak_assets.runs.daemonless NETWORK` takes what waits in its landing zone.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from leak_assets.errors import InputError
from leak_assets.incidents.policy import raising_method
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.runner import day_partitions, run_step
from leak_assets.pipeline.step import Step
from leak_assets.quality.steps import check_contract
from leak_assets.sites.site import Site
from leak_assets.telemetry.sources.every import EverySource
from leak_assets.telemetry.sources.intake import Attempts, IntakeRun, given_up, plan_runs
from leak_assets.warehouse import Written
from leak_assets.warehouse.catalogue import ensure_catalogue

from .freshness import broken_days, held_back_days, stale_days, through_newest
from .graph import GRAPH
from .sound_days import run_sound_days


@dataclass(frozen=True)
class IngestSummary:
    """What became of the files in the landing zone.

    Parameters
    ----------
    days
        Days that were delivered or had to be made anew.
    quarantined, unusable, windows
        Rows written: of what could not be read, of what was read and cannot be true, of scores.
    incidents
        Incidents of the network, open or closed.
    problems
        A line for each way in which a day's readings break the contract or a day cannot be made,
        found by this run; nothing was made from those days.
    known_problems
        Lines of the days that broke the contract before, and still do: no news.
    held_back
        Days with rows in the raw log that came after the day's correction window.
    data_incidents
        Open data incidents of the site: sensors that are wrong.
    """

    days: int
    quarantined: int
    unusable: int
    windows: int
    incidents: int
    problems: tuple[str, ...] = ()
    known_problems: tuple[str, ...] = ()
    held_back: int = 0
    data_incidents: int = 0


def process_landing_zone(ctx: StepContext, site: Site) -> IngestSummary:
    """Take all new files of a site from the landing zone to incidents.

    Days that an interrupted run left half done, that lie after a day that came late, or that were
    scored by other models than those in use now, are taken along.

    Raises
    ------
    InputError
        A setting names what is not registered.
    """
    # Refused here, not in the middle of a run.
    raising_method(ctx.settings)
    prepare_site(ctx, site)
    written, delivered = take_waiting(ctx, site)
    problems: list[str] = []
    known = tuple(line for lines in broken_days(ctx, site).values() for line in lines)
    if stale := stale_days(ctx, site):
        made, problems = process_days(ctx, site, through_newest(ctx, site.name, stale))
        written += made
    ensure_catalogue(ctx.warehouse.root)
    return IngestSummary(
        days=len(delivered.union(stale)),
        quarantined=_rows(written, "telemetry.quarantine"),
        unusable=_rows(written, "telemetry.unusable_readings"),
        windows=_rows(written, "detection.window_scores"),
        incidents=ctx.warehouse.read_all("incidents.incident_events", network=site.name)[
            "incident_id"
        ].n_unique(),
        problems=tuple(line for line in problems if line not in known),
        known_problems=tuple(
            line
            for lines in broken_days(ctx, site).values()
            for line in lines
            if line not in problems or line in known
        ),
        held_back=len(held_back_days(ctx, site)),
        data_incidents=ctx.warehouse.sql(
            "SELECT count(*) FROM incidents.data_incidents WHERE network = ? AND status = 'open'",
            [site.name],
        ).item(),
    )


def prepare_site(
    ctx: StepContext, site: Site, names: Sequence[str] = (), *, strict: bool = False
) -> None:
    """Make the tables of the whole site that steps by day follow from, where they are stale.

    Parameters
    ----------
    names
        Steps by day; by default all of them.
    strict
        Raise what keeps a table from being made; by default the progress says it.
    """
    wanted = names or [step.name for step in GRAPH.by_day()]
    for step in GRAPH.upstream(wanted):
        if step.partition == "site" and step.compute is not None:
            try:
                run_step(step, ctx, site, [{"network": site.name}])
            except InputError as error:
                if strict:
                    raise
                # What does not hang on it goes on: windows are scored without signatures.
                ctx.progress(f"no {step.name.replace('_', ' ')} of {site.name}: {error}")


def take_waiting(ctx: StepContext, site: Site) -> tuple[list[Written], set[date]]:
    """Take all deliveries that wait for a site into the raw log.

    Returns
    -------
    tuple
        What was written, and the days that the deliveries have readings of.
    """
    written: list[Written] = []
    delivered: set[date] = set()
    source, attempts = EverySource(ctx.settings, ctx.warehouse), Attempts()
    while run := _next_run(source, site.name, attempts):
        days = day_partitions(run.days, site.name)
        written += run_step(GRAPH.step("raw_readings"), ctx, site, days)
        delivered.update(run.days)
    waiting = [delivery for delivery in source.waiting() if delivery.network == site.name]
    for line in source.problems() + given_up(waiting, attempts):
        ctx.progress(line)
    return written, delivered


def process_days(
    ctx: StepContext, site: Site, days: Sequence[date], steps: Sequence[Step] | None = None
) -> tuple[list[Written], list[str]]:
    """Take a range of days of a site from raw readings to incident summaries.

    Parameters
    ----------
    steps
        Those to take, in order; by default all that follow from the raw log.

    Returns
    -------
    tuple
        What was written, and a line for each problem: readings that break the contract, a day
        that a step cannot make. Nothing more is made from that day; the other days go on.

    Raises
    ------
    InputError
        What stands in the way is the same for each of several days.
    """
    written: list[Written] = []
    problems: list[str] = []
    sound = sorted(days)
    for step in steps or GRAPH.by_day():
        if step.compute is None:
            continue
        outcome = run_sound_days(step, ctx, site, sound)
        written += outcome.written
        problems += outcome.problems.values()
        sound = outcome.days
        if "telemetry.readings" in step.writes:
            found = {day: check_contract(ctx, site, [day])[0] for day in sound}
            sound = [day for day in sound if not found[day]]
            problems += [line for lines in found.values() for line in lines]
    return written, problems


def _next_run(source: EverySource, network: str, attempts: Attempts) -> IntakeRun | None:
    waiting = [delivery for delivery in source.waiting() if delivery.network == network]
    run = next(iter(plan_runs(waiting, attempts)), None)
    if run is not None:
        attempts.count(run)
    return run


def _rows(written: Sequence[Written], table: str) -> int:
    return sum(w.record.rows for w in written if w.changed and w.record.table == table)


def main() -> int:
    """Take the landing zones of the networks on the command line; 1 if a contract is broken."""
    code = 0
    for name in sys.argv[1:]:
        ctx = StepContext.local(command="ingest")
        try:
            summary = process_landing_zone(ctx, ctx.site(name))
        except InputError as error:
            sys.stderr.write(f"error: {error}\n")
            return 2
        sys.stdout.write(f"{name}: {summary}\n")
        code = max(code, int(bool(summary.problems)))
    return code


if __name__ == "__main__":
    sys.exit(main())
