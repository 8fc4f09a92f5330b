"""Commands that detect again: an incident, or every one, as it was or with something changed."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import (
    AsJson,
    console,
    print_frame,
    print_json,
    print_rows,
    progress,
)

from .audit import audit_app
from .options import THRESHOLD, named_values

if TYPE_CHECKING:
    from leak_assets.audit.replay import Replay

MOST_DIFFERENCES = 40


def add_to(_app: typer.Typer) -> None:
    """Add this topic's commands; they are under `audit`, made when this module is imported."""


@audit_app.command("replay")
def replay(
    incident_id: Annotated[
        str | None, typer.Argument(help="Identifier from `incidents list`; or --all.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="With --all: of this network only.")] = None,
    method: Annotated[
        str | None, typer.Option(help="Detection method; by default the incident's.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Version of the detector that scores windows.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help=THRESHOLD)] = None,
    options: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the method's policy.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day; by default at most 60 days."),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Every incident as it was, a line for each.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Detect again from an incident's inputs and compare; nothing is written.

    Exit code 1 where something was replayed as it was and differs.
    """
    from dataclasses import replace

    from leak_assets.audit.replay import replay_incident
    from leak_assets.audit.rescore import Variant
    from leak_assets.audit.trace import incident_revisions

    ctx = StepContext.local(command="audit")
    ctx = replace(ctx, progress=progress(as_json=as_json))
    if every:
        _refuse_beside_all(incident_id, method, model, threshold, options)
        _replay_all(ctx, network, until, as_json=as_json)
        return
    if incident_id is None:
        raise InputError("no incident is named", remedy="Give its identifier, or --all")
    own = str(incident_revisions(ctx.warehouse, incident_id)[0]["method"])
    variant = Variant(
        method=method or own, model=model, threshold=threshold, options=named_values(options)
    )
    result = replay_incident(
        ctx, incident_id, variant=variant, until=None if until is None else until.date()
    )
    if as_json:
        print_json(_as_document(result))
    else:
        _print_replay(result)
    if not variant.is_changed and variant.method == own and not result.is_identical:
        raise typer.Exit(1)


def _refuse_beside_all(*others: object) -> None:
    if any(other is not None and other != [] for other in others):
        raise InputError(
            "--all replays every incident as it was",
            remedy="Leave out the identifier, --method, --model, --threshold and --set",
        )


def _replay_all(
    ctx: StepContext, network: str | None, until: datetime | None, *, as_json: bool
) -> None:
    from dataclasses import asdict, replace

    from leak_assets.audit.replays import replay_all
    from leak_assets.sites.registry import slug

    last = None if until is None else until.date()
    quiet = replace(ctx, progress=lambda _line: None)
    rows = []
    for one in replay_all(quiet, None if network is None else slug(network), until=last):
        ctx.progress(one.described())
        rows.append(asdict(one))
    different = sum(not row["is_identical"] for row in rows)
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, as_json=False, title=f"{len(rows)} incidents, {different} differ")
    if different:
        raise typer.Exit(1)


def _as_document(result: "Replay") -> dict[str, object]:
    return {
        "incident_id": result.incident_id,
        "variant": result.variant.described(),
        "first_day": result.first_day,
        "last_day": result.last_day,
        "revisions": result.revisions,
        "all_revisions": result.all_revisions,
        "identical": result.is_identical,
        "compared_rows": result.compared,
        "differences": result.differences.to_dicts(),
        "raised": result.raised.to_dicts(),
        "notes": result.notes,
    }


def _print_replay(result: "Replay") -> None:
    rows = sum(result.compared.values())
    say = "identical to the last digit" if result.is_identical else "different"
    screen = console()
    screen.print(
        f"{result.incident_id} by {result.variant.described()}, {result.first_day} to"
        f" {result.last_day}: {result.revisions} of {result.all_revisions} revisions,"
        f" {rows:,} stored rows, {say}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
    for note in result.notes:
        screen.print(f"note: {note}", soft_wrap=True, markup=False, highlight=False)
    if result.is_identical:
        return
    shown = result.differences.head(MOST_DIFFERENCES)
    title = f"{result.differences.height:,} values differ"
    more = f", the first {shown.height}" if shown.height < result.differences.height else ""
    print_frame(shown, as_json=False, title=f"{title}{more}")
    print_frame(result.raised, as_json=False, title="Incidents that the replay raises")
