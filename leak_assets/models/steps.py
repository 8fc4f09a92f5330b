"""The models room's steps: train, evaluate, register, and find the models in use.

Only the order of reading, calling and writing belongs here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from leak_assets.errors import InputError, MissingInputError
from leak_assets.pipeline.code import code_version
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites import PipeDistance, candidate_pipes, links_frame
from leak_assets.sites.registry import Network
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, Warehouse, Written

from .artefact import Artefact, artefact_folder, load_artefact
from .batches import FEATURES, TrainingBatches, training_batches
from .config import DETECTOR, PINPOINTER, load_config
from .dataset import WindowSet, training_set
from .evaluation import evaluate_artefact, evaluations_frame
from .gates import failed_gates
from .judged import TABLE as JUDGED
from .judged import judged_set
from .pipes import CandidatePipes
from .registry import champion, current, promote, register, retire
from .versions import model_version, training_code_version

MODELS = (DETECTOR, PINPOINTER)
EVALUATIONS = "models.evaluations"
TRUTH = "simulation.leak_truth"
# What labels and the choice of batches follow from, beside the features.
LABEL_TABLES = (TRUTH, "simulation.scenarios")


def train_models(ctx: StepContext, site: NetworkSite) -> list[Written]:
    """Train detector and pinpointer on the scenario batches of a network's plan and export them.

    A version that is exported already (same configuration, data, network and code) is not
    trained again.

    Returns
    -------
    list of Written
        One partition of `models.training_runs` per model.

    Raises
    ------
    MissingInputError
        If there are no training features.
    InputError
        If a registered version would have to be trained again, because its row of
        `models.training_runs` is gone.
    """
    # Torch and scikit-learn come with these, and only a training needs them.
    from .export import export
    from .training import train

    batches = training_batches(ctx.warehouse, site)
    for line in batches.messages():
        ctx.progress(line)
    provenance = site.provenance
    labels = [i for t in LABEL_TABLES for i in batches.inputs_of(ctx.warehouse, t)]
    inputs = [*batches.all_inputs, *labels, *provenance.inputs()]
    code = training_code_version()
    written: list[Written] = []
    windows: WindowSet | None = None
    for name in MODELS:
        config = load_config(name)
        version = model_version(config, batches.data_versions, provenance)
        partition = {"version": f"{name}-{version}", "network": site.name}
        table = "models.training_runs"
        kept = ctx.warehouse.up_to_date(table, partition, inputs, code)
        if kept is not None and _folder(ctx, site.name, name, version).is_dir():
            ctx.progress(f"{name} {version} is trained already")
            written.append(kept)
            continue
        _refuse_to_replace(ctx, site.name, name, version)
        leak_truth = pl.concat(batches.frames(ctx.warehouse, TRUTH))
        windows = windows or _windows(ctx, batches)
        ctx.progress(f"training {name} {version} on {len(windows):,} windows")
        result = train(
            config,
            windows,
            network=site.name,
            leak_truth=leak_truth,
            data_versions=batches.data_versions,
            contract_sha256=site.contract.sha256,
            trained_at=datetime.now(UTC),
            provenance=provenance,
            pipes=_pipes(site.network) if name == PINPOINTER else None,
            judged=judged_set(ctx.warehouse, site.name, windows.statistics, windows.channels),
        )
        export(result, ctx.settings.models_dir)
        written.append(
            ctx.warehouse.write(table, partition, result.history, inputs=inputs, code_version=code)
        )
    return written


def write_evaluations(ctx: StepContext, site: NetworkSite, *, again: bool = False) -> list[Written]:
    """Run the newest exported models on their held-out scenarios and write what they reach.

    Parameters
    ----------
    again
        Measure again what is up to date, too; latency differs from run to run.

    Raises
    ------
    MissingInputError
        If nothing was trained yet.
    InputError
        If the features hold no scenario of a model's held-out splits.
    """
    batches = training_batches(ctx.warehouse, site)
    inputs = [*batches.inputs, *batches.inputs_of(ctx.warehouse, TRUTH), *site.provenance.inputs()]
    code = code_version(__name__)
    written: list[Written] = []
    wanted: list[tuple[Artefact, list[Input]]] = []
    for artefact in newest_artefacts(ctx, site):
        partition = _version_partition(artefact)
        run = ctx.warehouse.as_input("models.training_runs", partition)
        made_from = [*inputs, *([run] if run else []), _model_input(artefact)]
        kept = ctx.warehouse.up_to_date(EVALUATIONS, partition, made_from, code)
        if kept is not None and not again:
            written.append(kept)
        else:
            wanted.append((artefact, made_from))
    if not wanted:
        return written
    windows = _windows(ctx, batches)
    leak_truth = pl.concat(batches.frames(ctx.warehouse, TRUTH))
    pipes = _pipes(site.network)
    for artefact, made_from in wanted:
        ctx.progress(f"evaluating {artefact.model} {artefact.version} on held-out towns")
        frame = evaluations_frame(
            evaluate_artefact(artefact, windows, leak_truth, pipes),
            load_config(artefact.model).gates,
            network=site.name,
            model=artefact.model,
            version=artefact.version,
        )
        partition = _version_partition(artefact)
        written.append(
            ctx.warehouse.write(EVALUATIONS, partition, frame, inputs=made_from, code_version=code)
        )
    return written


def gate_failures(ctx: StepContext, site: NetworkSite) -> dict[str, list[str]]:
    """Return a line for each gate that the newest models do not hold, by model; empty if none.

    Raises
    ------
    MissingInputError
        If they were not evaluated yet.
    """
    found = {}
    for artefact in newest_artefacts(ctx, site):
        frame = ctx.warehouse.require(
            EVALUATIONS, _version_partition(artefact), remedy="Evaluate the models first"
        )
        name = f"{artefact.model} {artefact.version}"
        if lines := failed_gates(frame, load_config(artefact.model).gates):
            found[artefact.model] = [f"{name}: {line}" for line in lines]
    return found


def register_models(
    ctx: StepContext, site: NetworkSite, *, actor: str = "training"
) -> list[Written]:
    """Put the newest models in use if their gates hold, else note them as rejected.

    The detector goes alone where only the pinpointer's gates fail: that a leak runs is worth
    knowing without a place. The pinpointer never goes alone. When the detector's gates fail, the
    models in use before stay in use.
    """
    failures = gate_failures(ctx, site)
    written: list[Written] = []
    for artefact in newest_artefacts(ctx, site):
        events = registry_events(ctx.warehouse, site.name)
        mine = failures.get(artefact.model, [])
        now = datetime.now(UTC)
        new = [register(events, artefact, failures=mine, at=now, actor=actor)]
        known = pl.concat([events, *new])
        if not mine and DETECTOR not in failures:
            new.append(
                promote(
                    known,
                    network=site.name,
                    model=artefact.model,
                    version=artefact.version,
                    at=datetime.now(UTC),
                    actor=actor,
                    note="all gates hold",
                )
            )
        elif DETECTOR not in failures and _is_of_another_network(ctx, site, artefact.model):
            new.append(
                retire(
                    known,
                    network=site.name,
                    model=artefact.model,
                    at=datetime.now(UTC),
                    actor=actor,
                    note="trained on another network model or sensor layout",
                )
            )
        rows = pl.concat(new)
        written += [_write_event(ctx, site.name, artefact, row) for row in rows.iter_slices(1)]
    return written


def _is_of_another_network(ctx: StepContext, site: NetworkSite, model: str) -> bool:
    old = champions(ctx, site).get(model)
    return old is not None and bool(site.provenance.differences(old.manifest))


def registry_events(warehouse: Warehouse, network: str) -> pl.DataFrame:
    """Return all registry events of a network."""
    return warehouse.read_all("models.registry_events", network=network)


def versions_in_use(warehouse: Warehouse, network: str) -> dict[str, str]:
    """Return the version in use of each model, as the registry has it; nothing is verified."""
    events = registry_events(warehouse, network)
    rows = {name: champion(events, network, name) for name in MODELS}
    return {name: str(row["version"]) for name, row in rows.items() if row is not None}


def champions(ctx: StepContext, site: NetworkSite) -> dict[str, Artefact]:
    """Return the verified models in use, by model name; empty before the first promotion.

    Raises
    ------
    InputError
        If a folder of a model in use was changed or is gone.
    """
    events = registry_events(ctx.warehouse, site.name)
    found = {}
    for name in MODELS:
        row = champion(events, site.name, name)
        if row is not None:
            folder = ctx.settings.models_dir / row["artefact_path"]
            found[name] = load_artefact(folder, manifest_sha256=row["manifest_sha256"])
    return found


def newest_artefacts(ctx: StepContext, site: NetworkSite) -> list[Artefact]:
    """Return the models that the present training features and configurations lead to.

    Raises
    ------
    MissingInputError
        If one of them was not trained yet.
    """
    data_versions = training_batches(ctx.warehouse, site).data_versions
    provenance = site.provenance
    artefacts = []
    for name in MODELS:
        version = model_version(load_config(name), data_versions, provenance)
        folder = _folder(ctx, site.name, name, version)
        if not folder.is_dir():
            raise MissingInputError(
                f"{name} {version} of {site.name} is not trained",
                remedy=f"Run `leak-assets train --network {site.name}`",
            )
        artefacts.append(load_artefact(folder))
    return artefacts


def _write_event(ctx: StepContext, network: str, artefact: Artefact, row: pl.DataFrame) -> Written:
    return ctx.warehouse.write(
        "models.registry_events",
        {"event": row["event_id"][0], "network": network},
        row,
        inputs=[_model_input(artefact)],
        code_version=code_version(__name__),
    )


def _windows(ctx: StepContext, batches: TrainingBatches) -> WindowSet:
    ctx.progress("reading training features")
    statistics = dict.fromkeys(s for name in MODELS for s in load_config(name).statistics)
    return training_set(batches.frames(ctx.warehouse, FEATURES), tuple(statistics))


def held_out_metrics(
    ctx: StepContext, site: NetworkSite
) -> Mapping[str, Mapping[str, float | None]]:
    """Return what the newest models reach on the test split, by model and metric."""
    found = {}
    for artefact in newest_artefacts(ctx, site):
        frame = ctx.warehouse.require(
            EVALUATIONS, _version_partition(artefact), remedy="Evaluate the models first"
        ).filter(pl.col("split") == "test")
        found[artefact.model] = dict(zip(frame["metric"], frame["value"], strict=True))
    return found


def _pipes(entry: Network) -> CandidatePipes:
    ids, matrix = PipeDistance(entry).matrix()
    position = {name: i for i, name in enumerate(ids)}
    wanted = candidate_pipes(entry)
    rows = [position[name] for name in wanted]
    return CandidatePipes.build(wanted, matrix[rows][:, rows], links_frame(entry))


def _refuse_to_replace(ctx: StepContext, network: str, name: str, version: str) -> None:
    """Keep the folder of a registered version: it may be in use until new gates have held."""
    folder = _folder(ctx, network, name, version)
    known = current(registry_events(ctx.warehouse, network), network, name)["version"].to_list()
    if folder.is_dir() and version in known:
        raise InputError(
            f"{name} {version} of {network} is registered but has no row in models.training_runs",
            remedy="Restore that partition, or train from another plan (`--seed`)",
            file=folder,
        )


def _folder(ctx: StepContext, network: str, name: str, version: str) -> Path:
    return artefact_folder(ctx.settings.models_dir, name, network, version)


def _version_partition(artefact: Artefact) -> dict[str, str]:
    return {"version": f"{artefact.model}-{artefact.version}", "network": artefact.network}


def _model_input(artefact: Artefact) -> Input:
    return Input("model", artefact.model, artefact.network, artefact.version)


def champion_inputs(work: Work) -> list[Input]:
    """Return the models in use, as inputs."""
    return [_model_input(artefact) for artefact in champions(work.ctx, work.network).values()]


def _train(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return train_models(work.ctx, work.network)


def _evaluate(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return write_evaluations(work.ctx, work.network)


def _register(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return register_models(work.ctx, work.network)


TRAINING_RUNS_STEP = Step(
    name="training_runs",
    partition="site",
    writes=("models.training_runs",),
    reads=(
        Read(FEATURES),
        Read(TRUTH),
        Read("simulation.scenarios"),
        Read(JUDGED),
    ),
    given=(NETWORK,),
    run=_train,
    description="A detector and a pinpointer, trained on the batches of a network's newest plan.",
)

EVALUATIONS_STEP = Step(
    name="evaluations",
    partition="site",
    writes=("models.evaluations",),
    reads=(Read("models.training_runs"), Read(FEATURES), Read(TRUTH)),
    given=(NETWORK,),
    run=_evaluate,
    description="How good the newest models are on towns they have never seen.",
)

REGISTRY_STEP = Step(
    name="registry_events",
    partition="site",
    writes=("models.registry_events",),
    reads=(Read("models.evaluations"),),
    given=(),
    run=_register,
    description="The newest models in use, after their gates held.",
)
