"""Commands of the models: train them, see how good they are."""

from collections.abc import Mapping
from typing import Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import NetworkSite
from leak_assets.system.terminal import AsJson, console, print_frame, print_json, progress

from .options import LARGEST_SEED, RegisteredNetwork

models_app = typer.Typer(no_args_is_help=True, help="What is in use, and since when.")


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    app.command()(train)
    app.command()(evaluate)
    app.add_typer(models_app, name="models")


def train(
    network: RegisteredNetwork,
    batches: Annotated[int, typer.Option(min=3, max=100, help="Towns to simulate.")] = 16,
    scenarios: Annotated[int, typer.Option(min=4, help="Scenarios of each town.")] = 24,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of towns, leaks and noise.")
    ] = 1,
    *,
    as_json: AsJson = False,
) -> None:
    """Simulate scenarios, train detector and pinpointer, use them if their gates hold."""
    from leak_assets.hydraulics.plan.scenarios import ScenarioPlan
    from leak_assets.runs.daemonless import train as run

    ctx = StepContext.local(command="train", progress=progress(as_json=as_json))
    site = ctx.registered_network(network)
    plan = ScenarioPlan(batches=batches, scenarios_per_batch=scenarios, seed=seed)
    _report(ctx, site, run(ctx, site, plan), as_json=as_json)


def evaluate(
    network: RegisteredNetwork,
    *,
    as_json: AsJson = False,
) -> None:
    """Run the newest exported models on held-out towns again; exit code 1 if a gate fails."""
    from leak_assets.models.steps import gate_failures, write_evaluations

    ctx = StepContext.local(command="evaluate", progress=progress(as_json=as_json))
    site = ctx.registered_network(network)
    write_evaluations(ctx, site, again=True)
    _report(ctx, site, gate_failures(ctx, site), as_json=as_json)


def _report(
    ctx: StepContext, site: NetworkSite, failures: Mapping[str, list[str]], *, as_json: bool
) -> None:
    """Print metrics, what they mean and what to do; exit with 1 where a gate failed."""
    from leak_assets.models.config import DETECTOR
    from leak_assets.models.gates import advice, findings
    from leak_assets.models.steps import held_out_metrics, versions_in_use

    metrics = held_out_metrics(ctx, site)
    lines = [line for mine in failures.values() for line in mine]
    in_use = versions_in_use(ctx.warehouse, site.name)
    if as_json:
        print_json(
            {
                "network": site.name,
                "in_use": in_use,
                "failed_gates": lines,
                "metrics": metrics,
                "findings": findings(metrics),
                "advice": advice(site.name, failures),
            }
        )
    else:
        _print_metrics(ctx, site)
        for line in findings(metrics):
            console().print(line, soft_wrap=True, markup=False, highlight=False)
        for line in lines:
            console().print(line, style="red", soft_wrap=True, markup=False)
        for line in advice(site.name, failures):
            console().print(line, soft_wrap=True, markup=False, highlight=False)
        if not failures:
            console().print("all gates hold")
        elif DETECTOR not in failures:
            console().print("the detector's gates hold; the pinpointer's do not")
    if failures:
        raise typer.Exit(1)


def _print_metrics(ctx: StepContext, site: NetworkSite) -> None:
    from leak_assets.models.steps import newest_artefacts

    versions = [artefact.version for artefact in newest_artefacts(ctx, site)]
    frame = ctx.warehouse.sql(
        "SELECT model, version, metric, value, gate, passed FROM models.evaluations"
        " WHERE network = $network AND split = 'test' AND version = ANY($versions)"
        " ORDER BY model, gate IS NULL, metric",
        {"network": site.name, "versions": versions},
    )
    print_frame(frame, as_json=False, title="Held-out towns")


@models_app.command("list")
def list_models(*, as_json: AsJson = False) -> None:
    """List all model versions with their status."""
    frame = StepContext.local().warehouse.sql(
        "SELECT network, model, version, status, event_at, note FROM models.registry"
        " ORDER BY network, model, event_at DESC"
    )
    print_frame(frame, as_json=as_json, title="Models")
