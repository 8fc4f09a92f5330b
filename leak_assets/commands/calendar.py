"""Commands of the maintenance calendar: add, list and remove work that explains detections."""

from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.incidents import calendar
from leak_assets.incidents.people import now
from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_frame, print_json

from .incident_people import By, Note, actor, utc_time

calendar_app = typer.Typer(no_args_is_help=True, help="Work during which a leak is no incident.")


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(calendar_app, name="calendar")


@calendar_app.command("add")
def add(
    network: Annotated[str, typer.Option(help="Site.")],
    begin: Annotated[str, typer.Option("--from", help="Begin (ISO 8601, UTC).")],
    end: Annotated[str, typer.Option("--to", help="End (ISO 8601, UTC).")],
    kind: Annotated[str, typer.Option(help=f"{', '.join(calendar.KINDS)}.")] = "maintenance",
    zone: Annotated[str | None, typer.Option(help="Metered zone; default: the whole site.")] = None,
    sensor: Annotated[
        str | None, typer.Option(help="Sensor that was changed; of kind meter_change.")
    ] = None,
    note: Note = None,
    by: By = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Enter work: what is detected during it is recorded and raises no incident.

    With `--kind meter_change --sensor ID`: what was usual of that sensor is forgotten, and learned
    anew from the day after the work.
    """
    ctx = StepContext.local(command="calendar")
    begin_at, end_at = utc_time(begin, "--from"), utc_time(end, "--to")
    if begin_at is None or end_at is None:
        raise InputError("the work has no begin or no end", remedy="Give --from and --to")
    # Sites without a model have meters, too.
    site = ctx.registered_network(network) if sensor is None else ctx.site(network)
    known = sorted({one.sensor_id for one in site.layout.sensors})
    if sensor is not None and sensor not in known:
        raise InputError(
            f"{site.name} has no sensor {sensor!r}",
            remedy=f"Sensors are: {', '.join(known[:5])}, … {len(known)} in all",
        )
    entry = calendar.Entry(
        network=site.name,
        kind=kind,
        zone=zone,
        begin_at=begin_at,
        end_at=end_at,
        note=note,
        sensor_id=sensor,
    )
    row = calendar.add(ctx, entry, actor=actor(ctx, by), at=now())
    if as_json:
        print_json(row)
    else:
        console().print(f"entered {row['entry_id']}", markup=False, highlight=False)


@calendar_app.command("list")
def list_entries(
    network: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the work, newest first, with the number of detections that each entry explains."""
    frame = StepContext.local().warehouse.sql(
        "SELECT c.entry_id, c.network, c.kind, c.zone, c.sensor_id, c.begin_at, c.end_at,"
        " c.actor, c.note,"
        " count(s.incident_id) AS detections FROM incidents.calendar AS c"
        " LEFT JOIN incidents.suppressed AS s USING (entry_id)"
        " WHERE ($network IS NULL OR c.network = $network) GROUP BY ALL"
        " ORDER BY c.begin_at DESC, c.entry_id",
        {"network": network},
    )
    print_frame(frame, as_json=as_json, title="Calendar")


@calendar_app.command("remove")
def remove(
    entry_id: Annotated[str, typer.Argument(help="Identifier from `calendar list`.")],
    note: Note = None,
    by: By = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Take an entry back: what it explained are incidents again."""
    ctx = StepContext.local(command="calendar")
    row = calendar.remove(ctx, entry_id, actor=actor(ctx, by), at=now(), note=note)
    if as_json:
        print_json(row)
    else:
        console().print(f"removed {entry_id}", markup=False, highlight=False)
