"""The command that says what a corrected file would change, before it is delivered, and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_frame, print_json

from .audit import audit_app

if TYPE_CHECKING:
    from leak_assets.runs.what_if import WhatIf

MOST_SHOWN = 20


def add_to(_app: typer.Typer) -> None:
    """Add this topic's commands; they are under `audit`, made when this module is imported."""


@audit_app.command("what-if")
def what_if(
    file: Annotated[
        Path | None, typer.Argument(help="The corrected export, not delivered yet.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="Network name.")] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the list, for --check.")] = None,
    check: Annotated[
        Path | None,
        typer.Option(help="Hold a kept list against what was written since; instead of FILE."),
    ] = None,
    *,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Make the affected days in memory; as long as the run takes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what a corrected file would change: readings, partitions, incidents; nothing is run.

    With --check: exit code 1 where a listed partition still waits, or another one was written.
    """
    ctx = StepContext.local(command="audit")
    if check is not None:
        if file is not None or save is not None:
            raise InputError("a kept list needs no file", remedy="Give --check LIST alone")
        _check(ctx, check, as_json=as_json)
        return
    if file is None or network is None:
        raise InputError(
            "which file, and of which network?", remedy="Give FILE --network NAME, or --check LIST"
        )
    from leak_assets.runs.what_if import what_would_change

    site = ctx.registered_network(network)
    found = what_would_change(ctx, site, file, is_exact=exact)
    if save is not None:
        from leak_assets.runs.what_if_plan import save_plan

        save_plan(found, site, save)
    if as_json:
        print_json(
            {
                "file": str(file),
                "sha256": found.sha256,
                "exact": exact,
                "readings": found.readings.to_dicts(),
                "quarantined": found.quarantined,
                "partitions": found.affected.to_dicts(),
                "held_back": found.held_back,
                "incidents": found.incidents.to_dicts(),
            }
        )
        return
    _print(found)


def _print(found: "WhatIf") -> None:
    screen = console()
    if found.readings.is_empty():
        screen.print("the file brings nothing that the raw log does not have", highlight=False)
        return
    shown = found.readings.head(MOST_SHOWN)
    print_frame(shown, as_json=False, title=f"{found.readings.height:,} readings change")
    what = "written anew" if found.is_exact else "affected"
    print_frame(found.by_table, as_json=False, title=f"{found.affected.height:,} partitions {what}")
    print_frame(found.incidents, as_json=False, title="Incidents on these days")
    if found.quarantined:
        screen.print(f"{found.quarantined} values of the file cannot be used", highlight=False)
    if found.held_back:
        screen.print(
            f"{len(found.held_back)} days are past their correction window and wait for"
            f" `leak-assets backfill`: {', '.join(str(day) for day in found.held_back[:5])}",
            soft_wrap=True,
            highlight=False,
        )
    if not found.is_exact:
        screen.print(
            "the run looks at these partitions and no others; one whose inputs come out as they"
            " were is not written (`--exact` tries it)",
            soft_wrap=True,
            highlight=False,
        )


def _check(ctx: StepContext, path: Path, *, as_json: bool) -> None:
    from leak_assets.runs.what_if_plan import OUTCOMES, hold_plan

    held = hold_plan(ctx, path)
    counts = {outcome: held.of(outcome).height for outcome in OUTCOMES}
    if as_json:
        print_json({"kept": held.is_kept, **counts, "partitions": held.partitions.to_dicts()})
    else:
        wrong = held.partitions.filter(held.partitions["outcome"].is_in(OUTCOMES[2:]))
        if wrong.height:
            print_frame(wrong.head(MOST_SHOWN), as_json=False, title="Not as listed")
        screen = console()
        screen.print(", ".join(f"{n:,} {name}" for name, n in counts.items()), highlight=False)
    if not held.is_kept:
        raise typer.Exit(1)
