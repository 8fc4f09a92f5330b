"""Commands for what has passed: make days again, replay them, remove what is old."""

from dataclasses import asdict
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_json, progress

from .options import RegisteredNetwork, day

First = Annotated[
    str | None, typer.Option("--from", help="First day, UTC, e.g. 2019-03-04.", show_default=False)
]
Last = Annotated[
    str | None, typer.Option("--to", help="Last day, UTC, included.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(backfill)


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
