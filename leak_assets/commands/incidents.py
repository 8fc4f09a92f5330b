"""Commands of the incidents: list them, show one with its candidates and evidence."""

from typing import Annotated

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_frame, print_json

incidents_app = typer.Typer(no_args_is_help=True, help="What to act on.")

_LIST = """
    SELECT incident_id, status, severity, leak_start, detected_at, leak_end,
        round(estimated_flow_m3_per_h, 1) AS m3_per_h, round(volume_lost_m3) AS m3_lost,
        round(value_eur) AS eur, top_link_id AS pipe, round(confidence, 2) AS confidence
    FROM incidents.incidents
    WHERE ($network IS NULL OR network = $network)
    ORDER BY detected_at DESC
"""


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(incidents_app, name="incidents")


@incidents_app.command("list")
def list_incidents(
    network: Annotated[str | None, typer.Option(help="Only this network.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List the incidents, newest first."""
    frame = StepContext.local().warehouse.sql(_LIST, {"network": network})
    print_frame(frame, as_json=as_json, title="Incidents")


@incidents_app.command("show")
def show(
    incident_id: Annotated[str, typer.Argument(help="Identifier from `incidents list`.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one incident: state, summary, where to dig, which sensors say so."""
    warehouse = StepContext.local().warehouse
    found = warehouse.sql("SELECT * FROM incidents.incidents WHERE incident_id = ?", [incident_id])
    if found.is_empty():
        raise InputError(
            f"there is no incident {incident_id!r}",
            remedy="`leak-assets incidents list` names them",
        )
    incident = found.row(0, named=True)
    at = [incident_id, incident["revision"]]
    of_revision = "WHERE incident_id = ? AND revision = ? ORDER BY rank"
    candidates = warehouse.sql(
        "SELECT rank, link_id, probability, cumulative_probability, length_m"
        f" FROM incidents.candidates {of_revision}",
        at,
    )
    evidence = warehouse.sql(
        "SELECT rank, sensor_id, quantity, contribution, residual_si"
        f" FROM incidents.evidence {of_revision}",
        at,
    )
    if as_json:
        print_json(
            incident | {"candidates": candidates.to_dicts(), "evidence": evidence.to_dicts()}
        )
        return
    console().print(incident["summary"] or "no summary yet", soft_wrap=True, markup=False)
    print_frame(candidates, as_json=False, title="Where to dig")
    print_frame(evidence, as_json=False, title="Which sensors say so")
