"""The one loop around every step: inputs, up to date?, read, compute, write.

A partition that was made from the same inputs by the same code is kept. What is written carries
the inputs that the step declares, so the audit trail and Dagster's graph cannot disagree.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime, timedelta
from functools import partial

from leak_assets.settings import Settings
from leak_assets.sites.site import Site
from leak_assets.system.processes import fan_out
from leak_assets.warehouse import Input, Warehouse, Written
from leak_assets.warehouse.lake import partition_name
from leak_assets.warehouse.schemas import TABLES

from .context import StepContext
from .contracts import contract_inputs_of, hold_contract
from .locks import network_lock
from .step import DAMAGED, Frames, Partition, Read, Step, partition_of
from .work import Work, day_of

# Starting processes takes as long as some forty days of readings.
WORTH_PROCESSES, MONTH = 60, 30


def run_step(
    step: Step,
    ctx: StepContext,
    site: Site,
    partitions: Sequence[Partition],
    *,
    plan: object = None,
) -> list[Written]:
    """Bring partitions of a step up to date, in order, and return them.

    Parameters
    ----------
    partitions
        Of the step, in order of time.
    plan
        What was asked for, of steps that take a plan.

    Returns
    -------
    list of Written
        The partitions of all its tables, those that were kept among them; none for a site of a
        kind that the step is not made for.
    """
    if site.kind not in step.kinds:
        return []
    work = Work(ctx, site, step, plan=plan)
    ctx.progress(f"{step.name} of {site.name}")
    # Runs of the automation, backfills and the command line know nothing of each other.
    with _lock(work):
        if step.run is not None:
            return step.run(work, partitions)
        if step.in_processes:
            return _run_in_processes(work, partitions)
        if step.goes_on:
            return _run_onward(work, partitions)
        return _run_in_order(work, partitions)


def _lock(work: Work) -> AbstractContextManager[None]:
    """Return what a step holds while it runs.

    Days wait for each other, for training they do not. Batches are towns of their own, on however
    many machines: the same batch twice gives the same file twice.
    """
    match work.step.partition:
        case "batch":
            return nullcontext()
        case "site":
            return network_lock(work.ctx, work.site.name, work.step.name)
        case _:
            return network_lock(work.ctx, work.site.name)


def kept(work: Work, partition: Partition, inputs: Sequence[Input]) -> list[Written]:
    """Return a partition of all the step's tables where each is up to date, else nothing."""
    version = work.step.code_version
    found = [
        work.warehouse.up_to_date(table, partition_of(table, partition), inputs, version)
        for table in work.step.writes
    ]
    complete = [written for written in found if written is not None]
    return complete if len(complete) == len(work.step.writes) else []


def is_stale(work: Work, partition: Partition) -> bool:
    """Whether a partition is missing, or would be made from other inputs or by other code now.

    False where it cannot be made, because a required input is missing.
    """
    inputs = inputs_of(work, partition)
    if inputs is None:
        return False
    judged = _judged(work, inputs)
    version = work.step.code_version
    for table in work.step.writes:
        own = partition_of(table, partition)
        record = work.warehouse.record(table, own)
        if record is None:
            if work.warehouse.is_retired(table, own):
                continue
            return True
        if record.code_version != version:
            return True
        if _judged(work, record.inputs) != judged:
            return not held_back(work, partition, inputs)
    return False


def held_back(work: Work, partition: Partition, inputs: Sequence[Input]) -> list[Written]:
    """Return a day as it was published, where all that is new came after its correction window.

    The window begins when a day is first published, not with the day: a history that is brought
    in today, one quantity after the other, is not late.
    """
    step = work.step
    if not step.holds_back or work.ctx.reopens:
        return []
    end = datetime.now(UTC) - timedelta(days=work.settings.correction_window_days)
    waiting = waiting_inputs(work, inputs)
    found = []
    for table in step.writes:
        record = work.warehouse.record(table, partition_of(table, partition))
        if record is None or record.first_published_at > end:
            return []
        if record.code_version != step.code_version:
            return []
        if _others(record.inputs, waiting) != _others(inputs, waiting):
            return []
        found.append(Written(record, changed=False))
    return found


def waiting_inputs(work: Work, inputs: Sequence[Input]) -> set[tuple[str, str]]:
    """Return table and partition of the inputs that the day they belong to has not taken in."""
    found = set()
    for source in inputs:
        if source.name == work.step.holds_back:
            own = dict(part.split("=", 1) for part in source.partition.split("__"))
            record = work.warehouse.record(work.step.writes[0], own)
            if record is not None and source not in record.inputs:
                found.add((source.name, source.partition))
    return found


def _others(inputs: Sequence[Input], waiting: set[tuple[str, str]]) -> set[Input]:
    return {source for source in inputs if (source.name, source.partition) not in waiting}


def inputs_of(work: Work, partition: Partition) -> list[Input] | None:
    """Return what a partition is made from now; None where it cannot be made.

    A required input is missing, or one that retention removed: asked for by name, it is made first.
    """
    found: dict[Input, None] = {}
    for read in work.step.reads:
        for source in partitions_read(work, read, partition):
            is_own = partition_of(read.table, source) == partition_of(read.table, partition)
            if read.spares and not is_own and work.is_damaged(read.table, source):
                own = partition_name(partition_of(read.table, source))
                found[Input("table", read.table, own, DAMAGED)] = None
                continue
            entry = work.input(read.table, source)
            if entry is not None:
                found[entry] = None
            elif read.required and is_own:
                return None
            elif work.warehouse.is_retired(read.table, partition_of(read.table, source)):
                # Made from less than it was made from, a day would say something else.
                return None
    for given in work.step.given:
        found.update(dict.fromkeys(given.inputs_for(work, partition)))
    found.update(dict.fromkeys(contract_inputs_of(work.step)))
    return list(found)


def partitions_read(work: Work, read: Read, partition: Partition) -> Iterator[Partition]:
    """Yield the partitions of a table that a step reads for one of its own, in order."""
    table = TABLES[read.table]
    if read.days is not None:
        for day in read.days(work, day_of(partition)):
            yield work.day(day)
    elif "date" in table.partition_by and "date" in partition:
        for offset in range(read.first_day, read.last_day + 1):
            yield work.day(day_of(partition) + timedelta(days=offset))
    elif set(table.partition_by) <= {*partition, "site"}:
        yield partition_of(read.table, partition)
    else:
        key = "site" if "site" in table.partition_by else "network"
        yield from work.warehouse.partitions(read.table, **{key: work.site.name})


def day_partitions(days: Sequence[date], site: str) -> list[Partition]:
    """Return the partitions of days of a site, in order."""
    return [{"date": day.isoformat(), "network": site} for day in sorted(days)]


def _run_in_order(work: Work, partitions: Sequence[Partition]) -> list[Written]:
    """Make partitions that do not go on from each other, some at once where the step allows."""
    step = work.step
    size = step.days_at_once if step.partition == "day" else 1
    written: list[Written] = []
    for start in range(0, len(partitions), size):
        rest = partitions[start:]
        is_apart = step.is_apart
        if is_apart and len(rest) >= WORTH_PROCESSES and is_apart(work, day_of(rest[0])):
            return written + _run_spread(work, rest)
        written += _run_apart(work, rest[:size])
    return written


def _run_spread(work: Work, partitions: Sequence[Partition]) -> list[Written]:
    """Make days that have nothing of each other in several processes, a month at a time."""
    months = [partitions[n : n + MONTH] for n in range(0, len(partitions), MONTH)]
    one = partial(
        _some_days,
        work.step,
        work.ctx.settings,
        work.warehouse.run_id,
        work.site,
        work.plan,
        work.ctx.reopens,
    )
    made = {months.index(month): written for month, written in fan_out(one, months)}
    return [written for number in sorted(made) for written in made[number]]


def _some_days(
    step: Step,
    settings: Settings,
    run_id: str,
    site: Site,
    plan: object,
    reopens: bool,
    partitions: Sequence[Partition],
) -> list[Written]:
    warehouse = Warehouse.from_settings(settings, run_id=run_id)
    ctx = StepContext(warehouse, settings, reopens=reopens)
    work = Work(ctx, site, step, plan=plan)
    size = step.days_at_once
    return [
        written
        for start in range(0, len(partitions), size)
        for written in _run_apart(work, partitions[start : start + size])
    ]


def _judged(work: Work, inputs: Sequence[Input]) -> set[Input]:
    unjudged = {given.name for given in work.step.given if not given.judged}
    return {source for source in inputs if source.kind not in unjudged}


def _run_apart(work: Work, partitions: Sequence[Partition]) -> list[Written]:
    """Make partitions that do not go on from each other."""
    step = work.step
    written: list[Written] = []
    stale: dict[str, list[Input]] = {}
    wanted: list[Partition] = []
    for partition in partitions:
        inputs = inputs_of(work, partition)
        if inputs is None:
            continue
        if found := kept(work, partition, inputs):
            written += found
            continue
        if found := held_back(work, partition, inputs):
            work.progress(
                f"{work.site.name} {day_of(partition)}: what came after the correction window of"
                f" {work.settings.correction_window_days:g} days is kept in {step.holds_back};"
                f" `leak-assets backfill --network {work.site.name}` takes it in"
            )
            written += found
            continue
        stale[partition_name(partition)] = inputs
        wanted.append(partition)
    if not wanted:
        return written
    work.declared.clear()
    work.declared.update(_names(inputs for inputs in stale.values()))
    for partition, frames in work.step.made(work, wanted):
        written += _write(work, partition, frames, stale[partition_name(partition)])
    return written


def _run_onward(work: Work, partitions: Sequence[Partition]) -> list[Written]:
    """Make partitions each of which goes on from the ones before: all from the first stale on."""
    written: list[Written] = []
    for number, partition in enumerate(partitions):
        inputs = inputs_of(work, partition)
        if inputs is None:
            continue
        found = kept(work, partition, inputs)
        if not found:
            return written + _made_onward(work, partitions[number:])
        written += found
    return written


def _made_onward(work: Work, partitions: Sequence[Partition]) -> list[Written]:
    written: list[Written] = []
    work.declared.clear()
    makeable = []
    for partition in partitions:
        inputs = inputs_of(work, partition)
        if inputs is not None:
            work.declared.update(_names([inputs]))
            makeable.append(partition)
    for partition, frames in work.step.made(work, makeable):
        # Only now: the days before, which it goes on from, have just been written.
        inputs = inputs_of(work, partition) or []
        written += _write(work, partition, frames, inputs)
    return written


def _run_in_processes(work: Work, partitions: Sequence[Partition]) -> list[Written]:
    one = partial(
        _one_partition, work.step, work.ctx.settings, work.warehouse.run_id, work.site, work.plan
    )
    made: dict[str, list[Written]] = {}
    for number, (partition, written) in enumerate(fan_out(one, partitions), 1):
        where = partition_name(partition)
        work.progress(f"{work.step.name}: {where} ({number} of {len(partitions)})")
        made[where] = written
    # They were done in any order.
    return [item for partition in partitions for item in made[partition_name(partition)]]


def _one_partition(
    step: Step, settings: Settings, run_id: str, site: Site, plan: object, partition: Partition
) -> list[Written]:
    ctx = StepContext(Warehouse.from_settings(settings, run_id=run_id), settings)
    return _run_apart(Work(ctx, site, step, plan=plan), [partition])


def _write(
    work: Work, partition: Partition, frames: Frames, inputs: Sequence[Input]
) -> list[Written]:
    step = work.step
    if missing := set(step.writes) - set(frames):
        raise ValueError(f"step {step.name} did not make {', '.join(sorted(missing))}")
    if extra := set(frames) - set(step.writes):
        raise ValueError(f"step {step.name} made {', '.join(sorted(extra))} without declaring it")
    for table, frame in frames.items():
        hold_contract(work.progress, table, partition, frame)
    version = step.code_version
    return [
        work.warehouse.write(
            table, partition_of(table, partition), frame, inputs=inputs, code_version=version
        )
        for table, frame in frames.items()
    ]


def _names(several: Sequence[Sequence[Input]] | Iterator[list[Input]]) -> set[tuple[str, str]]:
    return {
        (source.name, source.partition)
        for inputs in several
        for source in inputs
        if source.kind == "table"
    }
