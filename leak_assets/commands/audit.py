"""Commands of the audit: an incident back to its files, a reading back to its line."""

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.documents import plain
from leak_assets.system.files import publish
from leak_assets.system.terminal import (
    AsJson,
    console,
    print_frame,
    print_json,
    print_rows,
    progress,
)

from .options import THRESHOLD, named_values

if TYPE_CHECKING:
    from leak_assets.audit.chain import Chain
    from leak_assets.audit.reading import ReadingTrace
    from leak_assets.audit.replay import Replay

MOST_DIFFERENCES, MOST_READINGS = 40, 20

audit_app = typer.Typer(no_args_is_help=True, help="Where it comes from, and whether it holds.")


class Format(StrEnum):
    """What an audit is printed as."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(audit_app, name="audit")


IncidentId = Annotated[str, typer.Argument(help="Identifier from `incidents list`.")]


@audit_app.command("incident")
def incident(
    incident_id: IncidentId,
    output_format: Annotated[
        Format, typer.Option("--format", help="Tree, OpenLineage events, or a page with the graph.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option(help="File to write; by default printed, a page to var/reports."),
    ] = None,
    revision: Annotated[
        int | None,
        typer.Option(min=1, help="Only this revision; by default the first and the newest."),
    ] = None,
    *,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL that finds each id.")] = False,
) -> None:
    """Show what an incident was made from: files, tables, code, models, settings, runs."""
    from leak_assets.audit.chain import chain_of
    from leak_assets.audit.reading import sample_reading
    from leak_assets.audit.text import chain_text, reading_text
    from leak_assets.audit.trace import trace_incident

    ctx = StepContext.local(command="audit")
    trace = trace_incident(ctx.warehouse, incident_id, revision=revision)
    chain = chain_of(ctx.warehouse, ctx.settings, trace)
    sample = sample_reading(ctx.warehouse, ctx.settings, trace)
    if output_format is Format.HTML:
        output = output or ctx.settings.reports_dir / "audit" / f"{incident_id}.html"
        text = _page(chain, sample)
    elif output_format is Format.JSON:
        text = _document(chain)
    else:
        text = chain_text(chain, with_sql=sql)
        if sample is not None:
            text += f"\n\none reading, back to its line\n{reading_text(sample)}"
    if output is None:
        typer.echo(text)
        return
    publish(output, text.encode())
    console().print(f"written to {output}", soft_wrap=True, markup=False, highlight=False)


@audit_app.command("reading")
def reading(
    network: Annotated[str, typer.Option(help="Network name.")],
    sensor: Annotated[str, typer.Option(help="Sensor, e.g. n54.")],
    time: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"],
            help="Time of the reading, UTC.",
        ),
    ],
    quantity: Annotated[
        str | None, typer.Option(help="Where a sensor has several: pressure, flow, …")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the file and line that a reading came with, and what was delivered for it since."""
    from leak_assets.audit.reading import trace_reading
    from leak_assets.audit.text import reading_text
    from leak_assets.sites.registry import slug

    ctx = StepContext.local(command="audit")
    found = trace_reading(
        ctx.warehouse, ctx.settings, slug(network), sensor, time, quantity=quantity
    )
    if as_json:
        raw = [
            {**r.row, "is_used": r.is_used, "delivery": r.delivery, "sha256": r.sha256,
             "line": r.line, "message": r.message, "text": r.text}
            for r in found.raw
        ]  # fmt: skip
        print_json({"reading": found.reading, "raw": raw})
        return
    typer.echo(reading_text(found))


def _page(chain: "Chain", sample: "ReadingTrace | None") -> str:
    from leak_assets.reports.audit_report import audit_page

    return audit_page(chain, sample=sample)


def _document(chain: "Chain") -> str:
    from leak_assets.audit.openlineage import chain_document

    return json.dumps(plain(chain_document(chain)), indent=1, ensure_ascii=False, allow_nan=False)


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

    from leak_assets.audit.replay import replay_all
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
