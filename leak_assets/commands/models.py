"""Commands of the registry: what is in use, what waits, and how it got there."""

from typing import Annotated, Any

import typer

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_frame, print_json, progress

from .incident_people import By, actor
from .options import RegisteredNetwork

# Farthest features that are printed; a network of a hundred sensors has four hundred.
_SHOWN_DRIFT = 15

models_app = typer.Typer(no_args_is_help=True, help="The life of the models of a network.")

Model = Annotated[str, typer.Option(help="Which model.")]
VersionName = Annotated[
    str, typer.Argument(help="Version; its beginning is enough where one begins so.")
]
Revision = Annotated[
    int | None,
    typer.Option(min=0, help="Refuse unless this is still the model's revision that `list` names."),
]
Note = Annotated[str, typer.Option(help="Why, for whoever looks later.")]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.add_typer(models_app, name="models")


@models_app.command("list")
def list_models(*, as_json: AsJson = False) -> None:
    """List all model versions with their status."""
    frame = StepContext.local().warehouse.sql(
        "SELECT network, model, version, status, revision, event_at, actor, note"
        " FROM models.registry ORDER BY network, model, event_at DESC"
    )
    print_frame(frame, as_json=as_json, title="Models")


@models_app.command()
def history(
    network: RegisteredNetwork, model: Model = "leak_detector", *, as_json: AsJson = False
) -> None:
    """Show every decision about a model, oldest first."""
    frame = StepContext.local().warehouse.sql(
        "SELECT revision, event_at, version, status, actor, note FROM models.registry_events"
        " WHERE network = $network AND model = $model ORDER BY event_at",
        {"network": network.lower(), "model": _known(model)},
    )
    print_frame(frame, as_json=as_json, title=f"{model} of {network}")


@models_app.command()
def promote(
    network: RegisteredNetwork,
    version: VersionName,
    model: Model = "leak_detector",
    to: Annotated[str, typer.Option(help="`shadow`, or `champion`: in use.")] = "champion",
    note: Note = "promoted",
    by: By = None,
    revision: Revision = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Although the shadow report's rule does not hold.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take a version one step on: from validation to shadow mode, from there into use.

    The one in use before is retired in the same decision; the next micro-batch scores with the new
    one. Exit code 1 where the rule of the shadow report does not hold.
    """
    from leak_assets.audit.shadow_report import shadow_report
    from leak_assets.models.decisions import registry_events, step_to
    from leak_assets.models.in_use import challengers, champions
    from leak_assets.models.registry import CHAMPION, SHADOW, find
    from leak_assets.models.registry import revision as last_revision

    if to not in (CHAMPION, SHADOW):
        raise InputError(f"--to {to!r} is no step", remedy="Give shadow or champion")
    ctx, site = _site("promote", network, as_json=as_json)
    events = registry_events(ctx.warehouse, site.name)
    # What is decided on is what is seen now: another decision meanwhile is a conflict.
    seen = last_revision(events, site.name, _known(model)) if revision is None else revision
    row = find(events, site.name, model, version)
    if to == CHAMPION and row["status"] == "retired":
        raise InputError(
            f"{model} {row['version']} is retired",
            remedy=f"`leak-assets models rollback --version {row['version']}` brings it back",
        )
    in_use = champions(ctx, site).get(model)
    if to == CHAMPION and row["status"] == SHADOW and in_use is not None and not force:
        one = next(a for a in challengers(ctx, site) if a.version == row["version"])
        report = shadow_report(ctx, site, one, in_use)
        if not report["may_be_promoted"]:
            typer.echo(
                f"{model} {row['version']} stays in shadow mode: {report['reason']}", err=True
            )
            raise typer.Exit(1)
    step_to(
        ctx, site.name, model, row["version"], to,
        actor=actor(ctx, by), note=note, expected_revision=seen,
    )  # fmt: skip
    _tell_status(ctx, site.name, model, as_json=as_json)


@models_app.command()
def rollback(
    network: RegisteredNetwork,
    model: Model = "leak_detector",
    version: Annotated[
        str | None, typer.Option(help="By default the version that was in use before.")
    ] = None,
    note: Note = "rolled back",
    by: By = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Put the version that was in use before back in use; the next micro-batch scores with it."""
    from leak_assets.models.decisions import roll_back

    ctx, site = _site("rollback", network, as_json=as_json)
    roll_back(ctx, site.name, _known(model), actor=actor(ctx, by), note=note, version=version)
    _tell_status(ctx, site.name, model, as_json=as_json)


@models_app.command()
def retire(
    network: RegisteredNetwork,
    version: VersionName,
    model: Model = "leak_detector",
    note: Note = "retired",
    by: By = None,
    revision: Revision = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Take a version out of use, or give it up; a retired champion leaves none in use."""
    from leak_assets.models.decisions import step_to
    from leak_assets.models.registry import RETIRED

    ctx, site = _site("retire", network, as_json=as_json)
    step_to(
        ctx, site.name, _known(model), version, RETIRED,
        actor=actor(ctx, by), note=note, expected_revision=revision,
    )  # fmt: skip
    _tell_status(ctx, site.name, model, as_json=as_json)


@models_app.command()
def compare(
    network: RegisteredNetwork,
    versions: Annotated[
        list[str] | None, typer.Argument(help="By default the one in use and the newest others.")
    ] = None,
    model: Model = "leak_detector",
    *,
    as_json: AsJson = False,
) -> None:
    """Measure versions on the frozen test set, beside what they are worth in euro."""
    from leak_assets.models.compare import compared

    ctx, site = _site("compare", network, as_json=as_json)
    frame = compared(ctx, site, _known(model), versions or ())
    print_frame(frame, as_json=as_json, title=f"{model} of {site.name} on the frozen test set")


@models_app.command()
def value(network: RegisteredNetwork, version: VersionName, *, as_json: AsJson = False) -> None:
    """Value a detector beside the one in use on generated towns; exit code 1 if worth less."""
    from leak_assets.benchmark.retraining import Training, value_candidate
    from leak_assets.models.artefact import load_artefact
    from leak_assets.models.config import DETECTOR, parse_config
    from leak_assets.models.decisions import registry_events
    from leak_assets.models.gates import failed_gates
    from leak_assets.models.in_use import version_partition
    from leak_assets.models.plan import TrainingPlan
    from leak_assets.models.registration import register_models
    from leak_assets.models.registry import find

    ctx, site = _site("value", network, as_json=as_json)
    row = find(registry_events(ctx.warehouse, site.name), site.name, DETECTOR, version)
    artefact = load_artefact(
        ctx.settings.models_dir / row["artefact_path"], manifest_sha256=row["manifest_sha256"]
    )
    line = value_candidate(Training(ctx, site, TrainingPlan.of(ctx.settings)), artefact)
    if row["status"] in ("candidate", "validation"):
        rows = ctx.warehouse.require(
            "models.evaluations",
            version_partition(artefact),
            remedy=f"Run `leak-assets evaluate --network {site.name}` first",
        )
        failed = failed_gates(rows, parse_config(artefact.config).gates)
        register_models(ctx, site, [artefact], {DETECTOR: failed} if failed else {})
    if as_json:
        print_json({"version": artefact.version, "verdict": line})
    else:
        console().print(line, soft_wrap=True, highlight=False, markup=False)
    if "failed" in line:
        raise typer.Exit(1)


@models_app.command("shadow-report")
def shadow_report_command(network: RegisteredNetwork, *, as_json: AsJson = False) -> None:
    """Compare the challengers in shadow mode with the models in use."""
    from leak_assets.audit.shadow_report import write_shadow_reports

    ctx, site = _site("shadow-report", network, as_json=as_json)
    frame = write_shadow_reports(ctx, site)
    if as_json:
        print_json(frame.to_dicts())
        return
    if frame.is_empty():
        console().print(f"no model of {site.name} is in shadow mode")
        return
    for row in frame.iter_rows(named=True):
        for name, cell in row.items():
            console().print(f"{name:>22}  {cell}", highlight=False, markup=False, soft_wrap=True)


@models_app.command()
def drift(network: RegisteredNetwork, *, as_json: AsJson = False) -> None:
    """Bring the drift table up to date and show the newest day; exit code 1 where it fires."""
    from leak_assets.pipeline.runner import run_step
    from leak_assets.runs.graph import GRAPH

    ctx, site = _site("drift", network, as_json=as_json)
    run_step(GRAPH.step("drift"), ctx, site, [{"network": site.name}])
    frame = ctx.warehouse.sql(
        "SELECT date, version, kind, subject, windows, psi, ks, bias_z, bias_se, is_drift"
        " FROM models.drift"
        " WHERE network = $network AND date = (SELECT max(date) FROM models.drift"
        " WHERE network = $network) ORDER BY kind <> 'all', is_drift DESC, psi DESC NULLS LAST",
        {"network": site.name},
    )
    shown = frame if as_json else frame.head(_SHOWN_DRIFT)
    print_frame(shown, as_json=as_json, title=f"Drift of {site.name}, the farthest first")
    if shown.height < frame.height:
        console().print(f"{frame.height - shown.height} more in models.drift", highlight=False)
    fired = set(frame.filter(frame["is_drift"])["kind"])
    if fired and not as_json:
        what = (
            "what the models read moved farther than weeks differ by"
            if "all" in fired
            else "the scores moved, what they are made from no farther than weeks differ by"
        )
        console().print(
            f"{what}: a leak that runs, a sensor, or the season since the reference days. Newer"
            f" ones (`reference_first_day` in var/networks/{site.name}.yaml) often do; else:"
            f" leak-assets train --network {site.name}",
            highlight=False,
            markup=False,
        )
    if "all" in fired:
        raise typer.Exit(1)


def _site(command: str, network: str, *, as_json: bool) -> tuple[StepContext, Any]:
    ctx = StepContext.local(command=command, progress=progress(as_json=as_json))
    return ctx, ctx.registered_network(network)


def _known(model: str) -> str:
    from leak_assets.models.config import MODELS

    if model not in MODELS:
        raise InputError(f"there is no model {model!r}", remedy=f"Models are: {', '.join(MODELS)}")
    return model


def _tell_status(ctx: StepContext, network: str, model: str, *, as_json: bool) -> None:
    from leak_assets.models.decisions import registry_events
    from leak_assets.models.registry import current, revision

    events = registry_events(ctx.warehouse, network)
    rows = current(events, network, model)
    number = revision(events, network, model)
    if as_json:
        print_json(
            {"network": network, "model": model, "revision": number, "versions": rows.to_dicts()}
        )
        return
    for row in rows.iter_rows(named=True):
        console().print(
            f"{row['version']}: {row['status']} ({row['note']})",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    console().print(f"{model} of {network}, revision {number}", highlight=False)
