"""Commands of the audit: an incident back to its files, a reading back to its line."""

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.documents import plain
from leak_assets.system.files import publish
from leak_assets.system.terminal import (
    AsJson,
    console,
    print_json,
)

if TYPE_CHECKING:
    from leak_assets.audit.chain import Chain
    from leak_assets.audit.reading import ReadingTrace

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
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show what an incident was made from: files, tables, code, models, settings, runs."""
    from leak_assets.audit.chain import chain_of
    from leak_assets.audit.reading import sample_reading
    from leak_assets.audit.text import chain_text, reading_text
    from leak_assets.audit.trace import trace_incident

    if as_json:
        output_format = Format.JSON
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
