"""Commands of the incidents that only look: list, show, history, where to search, precision.

What people say of incidents is in `incident_people`.
"""

from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from leak_assets.errors import InputError
from leak_assets.incidents import people, places
from leak_assets.incidents.transitions import STATUSES, legal_actions
from leak_assets.pipeline.context import StepContext
from leak_assets.system.files import publish
from leak_assets.system.terminal import (
    AsJson,
    console,
    json_text,
    print_frame,
    print_json,
    print_rows,
)
from leak_assets.warehouse import Warehouse

incidents_app = typer.Typer(no_args_is_help=True, help="What to act on, and what was said of it.")

IncidentId = Annotated[str, typer.Argument(help="Identifier from `incidents list`.")]

_LIST = """
    SELECT incident_id, status, reason, severity, leak_start, detected_at, leak_end,
        round(estimated_flow_m3_per_h, 1) AS m3_per_h, round(volume_lost_m3) AS m3_lost,
        round(value_eur) AS eur, top_link_id AS pipe, round(confidence, 2) AS confidence,
        zone, assignee, snoozed_until, is_supported, people_revision
    FROM incidents.incidents
    WHERE ($network IS NULL OR network = $network) AND ($status IS NULL OR status = $status)
    ORDER BY detected_at DESC, incident_id
"""

_SHOWN = (
    "incident_id",
    "status",
    "reason",
    "severity",
    "detected_at",
    "m3_per_h",
    "m3_lost",
    "eur",
    "pipe",
    "assignee",
)


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(incidents_app, name="incidents")


@incidents_app.command("list")
def list_incidents(
    network: Annotated[str | None, typer.Option(help="Only this network.")] = None,
    status: Annotated[str | None, typer.Option(help="Only this status.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the incidents, newest first; with --json all there is to say of them."""
    if status not in (None, *STATUSES):
        raise InputError(f"{status!r} is no status", remedy=f"One of: {', '.join(STATUSES)}")
    frame = StepContext.local().warehouse.sql(_LIST, {"network": network, "status": status})
    if not as_json:
        # A table that has to be squeezed cuts the names, which the other commands ask for.
        withdrawn = pl.when("is_supported").then("status").otherwise(pl.lit("withdrawn"))
        frame = frame.with_columns(status=withdrawn).select(_SHOWN)
    print_frame(frame, as_json=as_json, title="Incidents")


@incidents_app.command("show")
def show(incident_id: IncidentId, *, as_json: AsJson = False) -> None:
    """Show one incident: state, summary, cost, where to dig, which sensors say so."""
    warehouse = StepContext.local().warehouse
    found = people.incident(warehouse, incident_id)
    transitions = people.history(warehouse, incident_id)
    found["possible_actions"] = legal_actions(people.state_of(found, transitions))
    found["successors"] = [] if found["is_supported"] else _successors(warehouse, found)
    candidates = places.search_order(_of_revision(warehouse, "candidates", found))
    evidence = _of_revision(warehouse, "evidence", found).select(
        "rank", "sensor_id", "quantity", "contribution", "residual_si"
    )
    forecast, times = (
        warehouse.sql(f"SELECT * FROM incidents.{view} WHERE incident_id = ?", [incident_id])
        for view in ("forecast", "alr_times")
    )
    if as_json:
        print_json(
            found
            | {
                "candidates": candidates.to_dicts(),
                "evidence": evidence.to_dicts(),
                "forecast": next(forecast.iter_rows(named=True), None),
                "alr_times": next(times.iter_rows(named=True), None),
                "history": transitions.to_dicts(),
            }
        )
        return
    console().print(found["summary"] or "no summary yet", soft_wrap=True, markup=False)
    for line in _state(found):
        console().print(line, soft_wrap=True, markup=False, highlight=False)
    print_rows(
        forecast.select("m3_per_day", "eur_per_day", "eur_per_month", "eur_per_year").to_dicts(),
        as_json=False,
        title="If nobody mends it",
    )
    print_frame(candidates, as_json=False, title="Where to search, in this order")
    print_frame(evidence, as_json=False, title="Which sensors say so")


@incidents_app.command("history")
def history(incident_id: IncidentId, *, as_json: AsJson = False) -> None:
    """Show what the detectors derived and what people said of an incident, in order of each."""
    warehouse = StepContext.local().warehouse
    people.incident(warehouse, incident_id)
    derived = warehouse.sql(
        "SELECT revision, event_at, event, severity, estimated_flow_m3_per_h, volume_lost_m3,"
        " top_link_id, run_id FROM incidents.incident_events WHERE incident_id = ?"
        " ORDER BY revision",
        [incident_id],
    )
    transitions = people.history(warehouse, incident_id)
    if as_json:
        print_json({"derived": derived.to_dicts(), "said": transitions.to_dicts()})
        return
    print_frame(derived, as_json=False, title="Derived from data")
    told = ("revision", "recorded_at", "actor", "action", "to_status", "reason", "note")
    print_frame(transitions.select(told), as_json=False, title="Said by people")


@incidents_app.command("candidates")
def candidates(
    incident_id: IncidentId,
    fmt: Annotated[str, typer.Option("--format", help="`csv` or `geojson`.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="File; by default it is printed.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print where to search: pipes by probability per meter, as CSV or GeoJSON."""
    import json

    if fmt not in ("csv", "geojson"):
        raise InputError(f"{fmt!r} is no format", remedy="Give --format csv or geojson")
    warehouse = StepContext.local().warehouse
    found = people.incident(warehouse, incident_id)
    ordered = places.search_order(_of_revision(warehouse, "candidates", found))
    if as_json:
        text = json_text(ordered.to_dicts())
    elif fmt == "csv":
        text = ordered.write_csv()
    else:
        lines = pipe_lines(warehouse, found["network"])
        text = json.dumps(places.geojson(found, ordered, lines), indent=1) + "\n"
    if out is None:
        typer.echo(text, nl=False)
    else:
        publish(out, text.encode())


@incidents_app.command("precision")
def precision(*, as_json: AsJson = False) -> None:
    """Show how often each method was right, by version and month, as people closed."""
    frame = StepContext.local().warehouse.sql("SELECT * FROM incidents.precision ORDER BY ALL")
    print_frame(frame, as_json=as_json, title="Precision")


def pipe_lines(warehouse: Warehouse, network: str) -> dict[str, places.Line]:
    """Return the pipes of a network as lines, from its tables."""
    nodes, links = (
        warehouse.read_all(table, network=network) for table in ("network.nodes", "network.links")
    )
    return places.pipe_lines(nodes, links)


def _of_revision(warehouse: Warehouse, table: str, found: dict[str, Any]) -> Any:
    """Return the newest rows of candidates or evidence."""
    query = places.NEWEST_ROWS.format(table=f"incidents.{table}")
    return warehouse.sql(query, [found["incident_id"], found["revision"]])


def _successors(warehouse: Warehouse, found: dict[str, Any]) -> list[str]:
    """Return incidents that may be the same leak under another name after data were corrected."""
    return warehouse.sql(
        "SELECT incident_id FROM incidents.incidents WHERE network = $network AND is_supported"
        " AND abs(epoch(detected_at) - epoch($at::TIMESTAMPTZ)) <= 7 * 86400"
        " ORDER BY abs(epoch(detected_at) - epoch($at::TIMESTAMPTZ))",
        {"network": found["network"], "at": found["detected_at"]},
    )["incident_id"].to_list()


def _state(found: dict[str, Any]) -> list[str]:
    reason = f" ({found['reason']})" if found["reason"] else ""
    lines = [f"{found['status']}{reason}, revision {found['people_revision']}"]
    if found["assignee"]:
        lines.append(f"assigned to {found['assignee']}")
    if found["zone"] is not None:
        lines.append(f"zone {found['zone']}")
    if found["suppressed_by"]:
        lines.append(f"no incident: planned work {found['suppressed_by']} explains it")
    if not found["is_supported"]:
        lines.append("no longer supported: corrected data removed what it rested on")
        if found["successors"]:
            lines.append(f"the same leak may be: {', '.join(found['successors'])}")
    low, high = found["flow_low_m3_per_h"], found["flow_high_m3_per_h"]
    if low is not None:
        lines.append(f"flow between {low:.1f} and {high:.1f} m3/h")
    lines.append(f"possible now: {', '.join(found['possible_actions'])}")
    return lines
