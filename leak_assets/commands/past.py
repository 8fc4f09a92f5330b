"""Commands for what has passed: make days again, replay them, remove what is old."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_json, print_rows, progress

from .options import AsOf, RegisteredNetwork, day, moment

First = Annotated[
    str | None, typer.Option("--from", help="First day, UTC, e.g. 2019-03-04.", show_default=False)
]
Last = Annotated[
    str | None, typer.Option("--to", help="Last day, UTC, included.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(backfill)
    app.command()(replay)
    app.command()(retention)


def backfill(
    network: RegisteredNetwork,
    first: First = None,
    last: Last = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only name the days.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make days again from the raw log, with the days after them; exit code 1 if one cannot be.

    Without a range: the days with rows that came after their correction window. A day that cannot
    be made is told, the others go on; the same command again makes only what is missing.
    """
    from leak_assets.runs.backfill import backfill as run
    from leak_assets.runs.backfill import wanted_days

    ctx = StepContext.local(command="backfill", progress=progress(as_json=as_json))
    site = ctx.site(network)
    days = wanted_days(ctx, site, day(first) if first else None, day(last) if last else None)
    if dry_run:
        if as_json:
            print_json({"network": site.name, "days": days})
        else:
            console().print(f"{len(days)} days: {' '.join(map(str, days))}", soft_wrap=True)
        return
    summary = run(ctx, site, days)
    if as_json:
        print_json({"network": site.name, **asdict(summary)})
    else:
        console().print(
            f"{len(summary.days)} days and {len(summary.later_days)} after them;"
            f" {sum(summary.changed.values())} partitions changed"
        )
        for problem in summary.problems:
            console().print(problem, style="red", soft_wrap=True, markup=False)
    if summary.problems:
        raise typer.Exit(1)


def replay(
    network: RegisteredNetwork,
    first: Annotated[str, typer.Option("--from", help="First day, UTC, e.g. 2019-03-04.")],
    last: Annotated[str | None, typer.Option("--to", help="Last day, included.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Second home, an empty folder (with --as-of: optional).")
    ] = None,
    speed: Annotated[
        float, typer.Option(help="Times faster than the device clock; 0: without waiting.", min=0)
    ] = 100.0,
    every_minutes: Annotated[
        int, typer.Option(help="Span of the device clock in one delivery.", min=1, max=1440)
    ] = 30,
    as_of: AsOf = None,
    *,
    deliver_only: Annotated[
        bool, typer.Option("--deliver-only", help="A daemon of the second home takes them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Re-emit stored days through a second home, and compare its scores with those published.

    With `--as-of` nothing is emitted: the days are computed from what the raw log had received by
    then, and compared with what had been published by then. Exit code 1 if something differs.
    """
    from leak_assets.runs import replay as runs

    ctx = StepContext.local(command="replay", progress=progress(as_json=as_json))
    site = ctx.site(network)
    begin, end = day(first), day(last or first)
    at = moment(as_of)
    if at is not None:
        found = runs.recompute(ctx, site, begin, end, at, into=into)
    elif into is None:
        raise InputError("a replay needs a second home", remedy="Name an empty folder: --into DIR")
    else:
        every = timedelta(minutes=every_minutes)
        processed = not deliver_only
        found = runs.replay(
            ctx, site, begin, end, into=into, every=every, speed=speed, is_processed=processed
        )
    rows = [
        {"table": c.table, "date": c.date, "same": c.is_same}
        | {"published": c.published[:12], "replayed": c.replayed[:12]}
        for c in found
    ]
    print_rows(rows, as_json=as_json, title="Published and replayed")
    if not all(c.is_same for c in found):
        raise typer.Exit(1)


def retention(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove old interim tables and old revisions; raw readings and results stay for ever.

    What goes can be made again (`leak-assets backfill --from … --to …`) and is needed by no newer
    day. INTERIM_RETENTION_DAYS, HISTORY_FULL_DAYS and HISTORY_RETENTION_DAYS say what is old.
    """
    from leak_assets.runs.retention import apply_retention

    ctx = StepContext.local(command="retention", progress=progress(as_json=as_json))
    removals = apply_retention(ctx, dry_run=dry_run)
    rows = [asdict(removal) for removal in removals]
    print_rows(rows, as_json=as_json, title="Would go" if dry_run else "Removed")
