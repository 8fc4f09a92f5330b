"""Commands with which a person acts on an incident: acknowledge to closed, and back.

Each appends a row to `incidents.transitions`; what is legal is the rule of that module.
"""

import getpass
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, get_type_hints

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
Speak = Callable[..., None]
# What every action takes besides its own options, with what it is when not given.
_SHARED: dict[str, tuple[Any, Any]] = {
    "note": (Note, None),
    "by": (By, None),
    "when": (When, None),
    "revision": (Revision, None),
    "as_json": (AsJson, False),
}


@dataclass(frozen=True)
class Word:
    """The options that all actions share."""

    note: str | None = None
    by: str | None = None
    when: str | None = None
    revision: int | None = None
    as_json: bool = False


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


def _action(
    name: str, *, without: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function of an incident, its own options and a `Word`.

    Parameters
    ----------
    name
        Of the command, under `incidents`.
    without
        Shared option that the action has no use for.
    """
    shared = {option: both for option, both in _SHARED.items() if option != without}

    def register(speak: Speak) -> Speak:
        def command(**given: Any) -> None:
            word = Word(**{option: given.pop(option) for option in shared})
            speak(word=word, **given)

        # Typer reads a command's options from its signature.
        hints = get_type_hints(speak, include_extras=True)
        own = [p for p in inspect.signature(speak).parameters.values() if p.name != "word"]
        parameters = [p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name]) for p in own] + [
            inspect.Parameter(
                option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
            )
            for option, (annotation, default) in shared.items()
        ]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        command.__doc__ = speak.__doc__
        incidents_app.command(name)(command)
        return speak

    return register


def _record(
    incident_id: str, action: str, word: Word, *, ctx: StepContext | None = None, **given: Any
) -> None:
    ctx = ctx or StepContext.local(command="incidents")
    clock = people.now()
    transition = Transition(
        action=action,
        actor=actor(ctx, word.by),
        happened_at=utc_time(word.when, "--when") or clock,
        recorded_at=clock,
        expected_revision=word.revision,
        **{"note": word.note, **given},
    )
    row = people.record(ctx, incident_id, transition)
    if word.as_json:
        print_json(row)
        return
    reason = f" ({row['reason']})" if row["reason"] else ""
    console().print(
        f"{incident_id}: {row['to_status']}{reason}, revision {row['revision']}, by {row['actor']}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


@_action("acknowledge")
def acknowledge(incident_id: IncidentId, word: Word) -> None:
    """Say that somebody has seen it: it is not escalated any more."""
    _record(incident_id, "acknowledge", word)


@_action("assign")
def assign(
    incident_id: IncidentId,
    word: Word,
    to: Annotated[str, typer.Option(help="Who works on it.")],
) -> None:
    """Say who works on it."""
    _record(incident_id, "assign", word, assignee=to)


@_action("start")
def start(
    incident_id: IncidentId,
    word: Word,
    *,
    field_work: Annotated[bool, typer.Option(help="The crew digs: the place is known.")] = False,
) -> None:
    """Say that it is under investigation, or with --field-work that a crew is on it."""
    _record(incident_id, "dispatch" if field_work else "investigate", word)


@_action("close")
def close(
    incident_id: IncidentId,
    word: Word,
    reason: Annotated[str, typer.Option(help="confirmed_leak, false_positive, planned_work, ...")],
    at_link: Annotated[str | None, typer.Option(help="Pipe on which the leak was.")] = None,
    at: Annotated[str | None, typer.Option(help="X,Y of the model where the leak was.")] = None,
    of: Annotated[str | None, typer.Option(help="Incident that this one repeats.")] = None,
    repaired: Annotated[str | None, typer.Option(help="When the leak was stopped (UTC).")] = None,
) -> None:
    """Close it with what it was; the reason is a label of the next training."""
    ctx = StepContext.local(command="incidents")
    link, x, y = _place(ctx, incident_id, at_link, at)
    _record(
        incident_id,
        "close",
        word,
        ctx=ctx,
        reason=reason,
        duplicate_of=of,
        repaired_at=utc_time(repaired, "--repaired"),
        found_link_id=link,
        found_x=x,
        found_y=y,
    )


@_action("reopen")
def reopen(incident_id: IncidentId, word: Word) -> None:
    """Take a closing back, also that of a duplicate."""
    _record(incident_id, "reopen", word)


@_action("snooze", without="when")
def snooze(
    incident_id: IncidentId,
    word: Word,
    hours: Annotated[float | None, typer.Option(min=0, max=8760, help="For so long.")] = None,
    until: Annotated[str | None, typer.Option(help="Until then (ISO 8601, UTC).")] = None,
) -> None:
    """Keep it quiet for a while: nobody is told of it, and it is not escalated."""
    if (hours is None) == (until is None):
        raise InputError("a snooze needs one end", remedy="Give either --hours or --until")
    end = utc_time(until, "--until") or datetime.now(UTC) + timedelta(hours=hours or 0)
    _record(incident_id, "snooze", word, snooze_until=end)


@_action("note", without="note")
def note_(
    incident_id: IncidentId,
    word: Word,
    text: Annotated[str, typer.Argument(help="What should be remembered.")],
) -> None:
    """Write something down; the state stays."""
    _record(incident_id, "note", word, note=text)


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
