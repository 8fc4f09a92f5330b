"""The command that says what a corrected file would change, before it is delivered, and after."""

from pathlib import Path
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_frame, print_json

from .audit import audit_app

MOST_READINGS = 20


def add_to(_app: typer.Typer) -> None:
    """Add this topic's commands; they are under `audit`, made when this module is imported."""


@audit_app.command("what-if")
def what_if(
    file: Annotated[Path, typer.Argument(help="The corrected export, not delivered yet.")],
    network: Annotated[str, typer.Option(help="Network name.")],
    *,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Make the affected days in memory; as long as the run takes."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what a corrected file would change: readings, partitions, incidents; nothing is run."""
    from leak_assets.runs.what_if import what_would_change

    ctx = StepContext.local(command="audit")
    found = what_would_change(ctx, ctx.registered_network(network), file, is_exact=exact)
    if as_json:
        print_json(
            {
                "file": str(file),
                "sha256": found.sha256,
                "exact": exact,
                "readings": found.readings.to_dicts(),
                "quarantined": found.quarantined,
                "partitions": found.rewritten.to_dicts(),
                "held_back": found.held_back,
                "incidents": found.incidents.to_dicts(),
            }
        )
        return
    screen = console()
    if found.readings.is_empty():
        screen.print("the file brings nothing that the raw log does not have", highlight=False)
        return
    shown = found.readings.head(MOST_READINGS)
    print_frame(shown, as_json=False, title=f"{found.readings.height:,} readings change")
    print_frame(found.by_table, as_json=False, title="Partitions that would be written anew")
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
    if not exact:
        screen.print(
            "days that go on from a changed day are taken as changed; `--exact` tries them",
            highlight=False,
        )
