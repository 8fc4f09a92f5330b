"""Commands with which a person acts on an incident: acknowledge to closed, and back.

Each appends a row to `incidents.transitions`; what is legal is the rule of that module.
"""

import getpass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from leak_assets.errors import InputError
from leak_assets.incidents import people
from leak_assets.incidents.places import nearest_pipe
from leak_assets.incidents.transitions import Transition
from leak_assets.pipeline.context import StepContext
from leak_assets.system.clock import parse_utc
from leak_assets.system.terminal import AsJson, console, print_json

from .incidents import IncidentId, incidents_app, pipe_lines

By = Annotated[
    str | None, typer.Option(help="Who says it; by default LEAK_ASSETS_USER, else the login.")
]
Revision = Annotated[
    int | None,
    typer.Option(min=0, help="Refuse unless this is still people's revision that `show` names."),
]
Note = Annotated[str | None, typer.Option(help="What should be remembered.")]
When = Annotated[str | None, typer.Option(help="When it happened (ISO 8601, UTC); default: now.")]


def add_to(_app: typer.Typer) -> None:
    """Add this topic's commands; they are under `incidents`, made when this module is imported."""


def utc_time(text: str | None, option: str) -> datetime | None:
    """Return the time of an option, or None where it was not given.

    Raises
    ------
    InputError
        It is no ISO 8601 time.
    """
    try:
        return None if text is None else parse_utc(text)
    except ValueError as error:
        raise InputError(
            f"{option} {text!r} is no time", remedy="Give it like 2019-02-01T13:30 (UTC)"
        ) from error


def actor(ctx: StepContext, by: str | None) -> str:
    """Return who speaks.

    Raises
    ------
    InputError
        Nothing says who it is.
    """
    if by is not None:
        return by
    if ctx.settings.user:
        return ctx.settings.user
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise InputError(
            "nothing says who you are", remedy="Give --by NAME or set LEAK_ASSETS_USER"
        ) from error


def _record(
    incident_id: str,
    action: str,
    *,
    by: str | None,
    when: str | None,
    as_json: bool,
    ctx: StepContext | None = None,
    **given: Any,
) -> None:
    ctx = ctx or StepContext.local(command="incidents")
    clock = people.now()
    transition = Transition(
        action=action,
        actor=actor(ctx, by),
        happened_at=utc_time(when, "--when") or clock,
        recorded_at=clock,
        **given,
    )
    row = people.record(ctx, incident_id, transition)
    if as_json:
        print_json(row)
        return
    reason = f" ({row['reason']})" if row["reason"] else ""
    console().print(
        f"{incident_id}: {row['to_status']}{reason}, revision {row['revision']}, by {row['actor']}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


@incidents_app.command("acknowledge")
def acknowledge(
    incident_id: IncidentId,
    note: Note = None,
    by: By = None,
    when: When = None,
    revision: Revision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say that somebody has seen it: it is not escalated any more."""
    _record(
        incident_id,
        "acknowledge",
        by=by,
        when=when,
        as_json=as_json,
        note=note,
        expected_revision=revision,
    )


@incidents_app.command("assign")
def assign(
    incident_id: IncidentId,
    to: Annotated[str, typer.Option(help="Who works on it.")],
    note: Note = None,
    by: By = None,
    when: When = None,
    revision: Revision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say who works on it."""
    _record(
        incident_id,
        "assign",
        by=by,
        when=when,
        as_json=as_json,
        note=note,
        assignee=to,
        expected_revision=revision,
    )


@incidents_app.command("start")
def start(
    incident_id: IncidentId,
    note: Note = None,
    by: By = None,
    when: When = None,
    revision: Revision = None,
    *,
    field_work: Annotated[bool, typer.Option(help="The crew digs: the place is known.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say that it is under investigation, or with --field-work that a crew is on it."""
    _record(
        incident_id,
        "dispatch" if field_work else "investigate",
        by=by,
        when=when,
        as_json=as_json,
        note=note,
        expected_revision=revision,
    )


@incidents_app.command("close")
def close(
    incident_id: IncidentId,
    reason: Annotated[str, typer.Option(help="confirmed_leak, false_positive, planned_work, ...")],
    note: Note = None,
    at_link: Annotated[str | None, typer.Option(help="Pipe on which the leak was.")] = None,
    at: Annotated[str | None, typer.Option(help="X,Y of the model where the leak was.")] = None,
    of: Annotated[str | None, typer.Option(help="Incident that this one repeats.")] = None,
    repaired: Annotated[str | None, typer.Option(help="When the leak was stopped (UTC).")] = None,
    by: By = None,
    when: When = None,
    revision: Revision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Close it with what it was; the reason is a label of the next training."""
    ctx = StepContext.local(command="incidents")
    link, x, y = _place(ctx, incident_id, at_link, at)
    _record(
        incident_id,
        "close",
        by=by,
        when=when,
        as_json=as_json,
        ctx=ctx,
        note=note,
        reason=reason,
        duplicate_of=of,
        repaired_at=utc_time(repaired, "--repaired"),
        found_link_id=link,
        found_x=x,
        found_y=y,
        expected_revision=revision,
    )


@incidents_app.command("reopen")
def reopen(
    incident_id: IncidentId,
    note: Note = None,
    by: By = None,
    when: When = None,
    revision: Revision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Take a closing back, also that of a duplicate."""
    _record(
        incident_id,
        "reopen",
        by=by,
        when=when,
        as_json=as_json,
        note=note,
        expected_revision=revision,
    )


@incidents_app.command("snooze")
def snooze(
    incident_id: IncidentId,
    hours: Annotated[float | None, typer.Option(min=0, max=8760, help="For so long.")] = None,
    until: Annotated[str | None, typer.Option(help="Until then (ISO 8601, UTC).")] = None,
    note: Note = None,
    by: By = None,
    revision: Revision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Keep it quiet for a while: nobody is told of it, and it is not escalated."""
    if (hours is None) == (until is None):
        raise InputError("a snooze needs one end", remedy="Give either --hours or --until")
    end = utc_time(until, "--until") or datetime.now(UTC) + timedelta(hours=hours or 0)
    _record(
        incident_id,
        "snooze",
        by=by,
        when=None,
        as_json=as_json,
        note=note,
        snooze_until=end,
        expected_revision=revision,
    )


@incidents_app.command("note")
def note_(
    incident_id: IncidentId,
    text: Annotated[str, typer.Argument(help="What should be remembered.")],
    by: By = None,
    when: When = None,
    revision: Revision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Write something down; the state stays."""
    _record(
        incident_id,
        "note",
        by=by,
        when=when,
        as_json=as_json,
        note=text,
        expected_revision=revision,
    )


def _place(
    ctx: StepContext, incident_id: str, link: str | None, at: str | None
) -> tuple[str | None, float | None, float | None]:
    """Return pipe and coordinates of where the leak was found.

    Raises
    ------
    InputError
        The pipe is not in the network, or the coordinates are none.
    """
    if link is None and at is None:
        return None, None, None
    network = people.incident(ctx.warehouse, incident_id)["network"]
    lines = pipe_lines(ctx.warehouse, network)
    if link is not None and link not in lines:
        raise InputError(
            f"{link!r} is no pipe of {network}", remedy="Give a pipe's name from network.links"
        )
    if at is None:
        return link, None, None
    try:
        x, y = (float(part) for part in at.split(","))
    except ValueError as error:
        raise InputError(
            f"--at {at!r} is no place", remedy="Give two numbers of the model, like 1200.5,380"
        ) from error
    return link or nearest_pipe(lines, x, y), x, y
