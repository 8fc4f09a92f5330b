"""Commands of a training: all of it, or one of its five stages alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leak_assets.pipeline.context import StepContext
from leak_assets.system.terminal import AsJson, console, print_frame, print_json, progress

from .options import LARGEST_SEED, RegisteredNetwork

if TYPE_CHECKING:
    from leak_assets.benchmark.retraining import Training

Config = Annotated[
    Path | None,
    typer.Option(help="YAML file of one model, which alone is made; default: the home's models."),
]
Version = Annotated[
    str | None, typer.Option(help="Version in the place of the configuration's, e.g. 1.0.0.")
]


def add_to(app: typer.Typer) -> None:
    """Add this topic's commands."""
    for command in (train, preprocess, featurize, evaluate, export):
        app.command()(command)


def train(
    network: RegisteredNetwork,
    config: Config = None,
    version: Version = None,
    batches: Annotated[int, typer.Option(min=3, max=100, help="Towns to simulate.")] = 16,
    scenarios: Annotated[int, typer.Option(min=4, help="Scenarios of each town.")] = 24,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of towns, leaks and noise.")
    ] = 1,
    *,
    alone: Annotated[
        bool, typer.Option("--alone", help="The training stage alone, from the stored features.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate, train, evaluate, export, register: the first goes into use, later ones shadow it.

    Exit code 1 where a gate fails: the model in use stays in use.
    """
    from leak_assets.benchmark import retraining
    from leak_assets.hydraulics.plan.scenarios import ScenarioPlan

    plan = (
        None if alone else ScenarioPlan(batches=batches, scenarios_per_batch=scenarios, seed=seed)
    )
    asked = _asked("train", network, config, version, as_json=as_json, scenarios=plan)
    if alone:
        retraining.train(asked)
        _tell_runs(asked, as_json=as_json)
        return
    _report(asked, retraining.train_network(asked), as_json=as_json)


def preprocess(
    network: RegisteredNetwork,
    config: Config = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Hold the scenario runs that are there against the contract of readings."""
    asked = _asked("preprocess", network, config, version, as_json=as_json)
    written = asked.run("training_readings", partitions=_simulated(asked))
    rows = sum(one.record.rows for one in written)
    _tell(f"{len(written)} batches, {rows} sensors hold the contract", as_json=as_json,
          batches=len(written), sensors=rows)  # fmt: skip


def featurize(
    network: RegisteredNetwork,
    config: Config = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Window and label the scenario runs that are there; keep the frozen test set."""
    asked = _asked("featurize", network, config, version, as_json=as_json)
    written = asked.run("training_features", partitions=_simulated(asked))
    asked.run("judged_windows", "frozen_windows")
    rows = sum(one.record.rows for one in written)
    _tell(f"{len(written)} batches, {rows:,} channel windows", as_json=as_json,
          batches=len(written), rows=rows)  # fmt: skip


def evaluate(
    network: RegisteredNetwork,
    config: Config = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Run the newest trained models on held-out towns again; exit code 1 if a gate fails."""
    from leak_assets.models.steps import gate_failures, write_evaluations

    asked = _asked("evaluate", network, config, version, as_json=as_json)
    write_evaluations(asked.ctx, asked.site, asked.plan, again=True)
    failures = gate_failures(asked.ctx, asked.site, asked.plan)
    _report(asked, failures, as_json=as_json)


def export(
    network: RegisteredNetwork,
    config: Config = None,
    version: Version = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Pack the newest evaluated models below MODELS/<model>/<version>/ and register them."""
    from leak_assets.benchmark import retraining
    from leak_assets.models.in_use import newest_artefacts

    asked = _asked("export", network, config, version, as_json=as_json)
    retraining.export(asked)
    retraining.register(asked)
    folders = [str(one.folder) for one in newest_artefacts(asked.ctx, asked.site, asked.plan)]
    _tell("\n".join(folders), as_json=as_json, packages=folders)
    if failures := retraining.rejections(asked):
        for line in (line for lines in failures.values() for line in lines):
            typer.echo(line, err=True)
        raise typer.Exit(1)


def _asked(
    command: str,
    network: str,
    config: Path | None,
    version: str | None,
    *,
    as_json: bool,
    scenarios: object = None,
) -> "Training":
    from leak_assets.benchmark.retraining import Training
    from leak_assets.models.plan import TrainingPlan

    ctx = StepContext.local(command=command, progress=progress(as_json=as_json))
    plan = TrainingPlan.of(ctx.settings, config, version)
    return Training(ctx, ctx.registered_network(network), plan, scenarios)  # type: ignore[arg-type]


def _simulated(asked: "Training") -> list[dict[str, str]]:
    """Return the scenario batches that are there.

    Raises
    ------
    MissingInputError
        There is none.
    """
    from leak_assets.errors import MissingInputError

    name = asked.site.name
    found = asked.ctx.warehouse.partitions("simulation.scenarios", network=name)
    if not found:
        raise MissingInputError(
            f"no scenario of {name} was simulated",
            remedy=f"Run `leak-assets scenarios --network {name}` first",
        )
    return found


def _tell(line: str, *, as_json: bool, **document: object) -> None:
    if as_json:
        print_json(document)
    else:
        console().print(line, soft_wrap=True, highlight=False, markup=False)


def _tell_runs(asked: "Training", *, as_json: bool) -> None:
    from leak_assets.models.in_use import about_versions, newest_artefacts

    artefacts = newest_artefacts(asked.ctx, asked.site, asked.plan)
    runs = about_versions(
        asked.ctx.warehouse, "models.training_runs", asked.site.name, artefacts
    ).filter("is_best")
    columns = ("model", "version", "epoch", "train_loss", "validation_loss", "seed", "git_sha")
    print_frame(runs.select(columns), as_json=as_json, title="Best epochs")


def _report(asked: "Training", failures: Mapping[str, list[str]], *, as_json: bool) -> None:
    """Print metrics, what they mean and what to do; exit with 1 where a gate failed."""
    from leak_assets.models.config import DETECTOR
    from leak_assets.models.gates import advice, findings
    from leak_assets.models.in_use import versions_in_use
    from leak_assets.models.steps import held_out_metrics

    site = asked.site
    metrics = held_out_metrics(asked.ctx, site, asked.plan)
    lines = [line for mine in failures.values() for line in mine]
    if as_json:
        print_json(
            {
                "network": site.name,
                "in_use": versions_in_use(asked.ctx.warehouse, site.name),
                "failed_gates": lines,
                "metrics": metrics,
                "findings": findings(metrics),
                "advice": advice(site.name, failures),
            }
        )
    else:
        _print_metrics(asked)
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


def _print_metrics(asked: "Training") -> None:
    from leak_assets.models.in_use import newest_artefacts

    versions = [one.version for one in newest_artefacts(asked.ctx, asked.site, asked.plan)]
    frame = asked.ctx.warehouse.sql(
        "SELECT model, version, metric, value, gate, passed FROM models.evaluations"
        " WHERE network = $network AND split = 'test' AND version = ANY($versions)"
        " ORDER BY model, gate IS NULL, metric",
        {"network": asked.site.name, "versions": versions},
    )
    print_frame(frame, as_json=False, title="Held-out towns")
