"""The models room's steps: train, evaluate, export, register.

Only the order of reading, calling and writing belongs here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from leak_assets.errors import InputError
from leak_assets.hydraulics.twin.zone_steps import zones_frame
from leak_assets.pipeline.code import code_version
from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.given import NETWORK
from leak_assets.pipeline.step import Given, Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas.models import PACKAGES

from .artefact import DRAFT_FILES, Artefact, artefact_folder, draft_folder, load_artefact
from .batches import FEATURES, TrainingBatches, training_batches
from .config import MODELS, PINPOINTER, load_config, parse_config
from .dataset import WindowSet, stored_windows, training_set
from .decisions import registry_events
from .evaluation import (
    CROSS_VALIDATION,
    Evaluation,
    class_frames,
    evaluate_artefact,
    evaluations_frame,
)
from .frozen import TABLE as FROZEN
from .frozen import frozen_scenarios
from .gates import failed_gates
from .in_use import (
    model_input,
    newest_artefacts,
    path_in_models,
    pipes_of,
    trained_artefact,
    version_partition,
)
from .judged import TABLE as JUDGED
from .metrics import Metrics
from .pipes import CandidatePipes
from .plan import TrainingPlan
from .registration import register_models
from .registry import current
from .versions import model_version, training_code_version

TRAINING_RUNS = "models.training_runs"
SPLITS = "models.splits"
EVALUATIONS = "models.evaluations"
BREAKDOWNS, RELIABILITY = "models.breakdowns", "models.reliability"
PACKAGED = PACKAGES.full_name
TRUTH = "simulation.leak_truth"
# What labels and the choice of batches follow from, beside the features.
LABEL_TABLES = (TRUTH, "simulation.scenarios")


def train_models(
    ctx: StepContext, site: NetworkSite, plan: TrainingPlan | None = None
) -> list[Written]:
    """Train the models of a plan on the scenario batches of a network and keep them as drafts.

    A version that is trained already (same configuration, data, network and code) is not trained
    again.

    Returns
    -------
    list of Written
        One partition of `models.training_runs` and of `models.splits` per model.

    Raises
    ------
    MissingInputError
        If there are no training features.
    InputError
        If a registered version would have to be trained again, because its row of
        `models.training_runs` is gone.
    """
    # Torch and scikit-learn come with these, and only a training needs them.
    from .drafts import write_draft
    from .training import train

    batches = training_batches(ctx.warehouse, site)
    for line in batches.messages():
        ctx.progress(line)
    provenance = site.provenance
    labels = [i for t in LABEL_TABLES for i in batches.inputs_of(ctx.warehouse, t)]
    inputs = [*batches.all_inputs, *labels, *provenance.inputs()]
    inputs += [i for i in [ctx.warehouse.as_input(FROZEN, {"network": site.name})] if i]
    code = training_code_version()
    frozen = frozen_scenarios(ctx.warehouse, batches)
    written: list[Written] = []
    windows: WindowSet | None = None
    for name, config in (plan or TrainingPlan.of(ctx.settings)).configs.items():
        version = model_version(config, batches.data_versions, provenance)
        partition = {"version": f"{name}-{version}", "network": site.name}
        kept = ctx.warehouse.up_to_date(TRAINING_RUNS, partition, inputs, code)
        if kept is not None and trained_artefact(ctx, name, version) is not None:
            ctx.progress(f"{name} {version} is trained already")
            known = ctx.warehouse.up_to_date(SPLITS, partition, inputs, code)
            written += [kept, *([known] if known else [])]
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
            pipes=pipes_of(site.network) if name == PINPOINTER else None,
            judged=stored_windows(
                ctx.warehouse, JUDGED, site.name, windows.statistics, windows.channels
            ),
            frozen=frozen,
        )
        write_draft(result, ctx.settings.drafts_dir)
        # The run last: with it the training counts as done.
        written += [
            ctx.warehouse.write(table, partition, frame, inputs=inputs, code_version=code)
            for table, frame in ((SPLITS, result.members), (TRAINING_RUNS, result.history))
        ]
    return written


def write_evaluations(
    ctx: StepContext, site: NetworkSite, plan: TrainingPlan | None = None, *, again: bool = False
) -> list[Written]:
    """Run the newest models on their held-out scenarios and write what they reach.

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
    inputs += [i for i in [ctx.warehouse.as_input(FROZEN, {"network": site.name})] if i]
    code = code_version(__name__)
    written: list[Written] = []
    wanted: list[tuple[Artefact, list[Input]]] = []
    for artefact in newest_artefacts(ctx, site, plan):
        partition = version_partition(artefact)
        run = ctx.warehouse.as_input(TRAINING_RUNS, partition)
        made_from = [*inputs, *([run] if run else []), model_input(artefact)]
        kept = [
            ctx.warehouse.up_to_date(table, partition, made_from, code)
            for table in (EVALUATIONS, BREAKDOWNS, RELIABILITY)
        ]
        if not again and all(kept):
            written += [one for one in kept if one is not None]
        else:
            wanted.append((artefact, made_from))
    if not wanted:
        return written
    windows = _windows(ctx, batches)
    leak_truth = pl.concat(batches.frames(ctx.warehouse, TRUTH))
    pipes = pipes_of(site.network)
    zones = dict(zones_frame(site).select("link_id", "zone").iter_rows())
    for artefact, made_from in wanted:
        ctx.progress(f"evaluating {artefact.model} {artefact.version} on held-out towns")
        found = evaluate_artefact(
            artefact,
            windows,
            leak_truth,
            pipes,
            frozen=stored_windows(
                ctx.warehouse, FROZEN, site.name, artefact.statistics, artefact.channels
            ),
            zones=zones,
        )
        folds = _cross_validation(ctx, artefact, windows, leak_truth, pipes, made_from)
        if folds:
            found.metrics[CROSS_VALIDATION] = folds
        written += _write_evaluation(ctx, artefact, found, made_from, code)
    return written


def _write_evaluation(
    ctx: StepContext, artefact: Artefact, found: Evaluation, inputs: list[Input], code: str
) -> list[Written]:
    from .drafts import write_metrics

    identity = {
        "network": artefact.network,
        "model": artefact.model,
        "version": artefact.version,
    }
    config = parse_config(artefact.config)
    frames = {
        EVALUATIONS: evaluations_frame(
            found.metrics, config.gates, **identity, shown=config.metrics
        ),
        **dict(zip((BREAKDOWNS, RELIABILITY), class_frames(found, **identity), strict=True)),
    }
    draft = draft_folder(ctx.settings.drafts_dir, artefact.model, artefact.version)
    if draft.is_dir():
        write_metrics(draft, found)
    partition = version_partition(artefact)
    return [
        ctx.warehouse.write(table, partition, frame, inputs=inputs, code_version=code)
        for table, frame in frames.items()
    ]


def _cross_validation(
    ctx: StepContext,
    artefact: Artefact,
    windows: WindowSet,
    leak_truth: pl.DataFrame,
    pipes: CandidatePipes,
    inputs: list[Input],
) -> Metrics:
    """Return the metrics of the folds: those known of the same data, or measured now."""
    config = parse_config(artefact.config)
    if not config.split.folds:
        return {}
    partition = version_partition(artefact)
    known = ctx.warehouse.record(EVALUATIONS, partition)
    rows = ctx.warehouse.read(EVALUATIONS, partition)
    if known is not None and rows is not None and known.inputs == tuple(inputs):
        found = rows.filter(split=CROSS_VALIDATION)
        if found.height:
            return dict(zip(found["metric"], found["value"], strict=True))
    from .cross_validation import cross_validate

    try:
        return cross_validate(config, windows, leak_truth, pipes, progress=ctx.progress)
    except ValueError as error:
        ctx.progress(f"no cross-validation of {artefact.model}: {error}")
        return {}


def export_models(
    ctx: StepContext, site: NetworkSite, plan: TrainingPlan | None = None
) -> list[Written]:
    """Pack the newest evaluated models below `MODELS/`; a registered package stays as it is.

    Raises
    ------
    MissingInputError
        If nothing was trained yet.
    InputError
        If a model was not evaluated, or its draft was changed.
    """
    from .export import package

    written = []
    for artefact in newest_artefacts(ctx, site, plan):
        draft = draft_folder(ctx.settings.drafts_dir, artefact.model, artefact.version)
        target = artefact_folder(ctx.settings.models_dir, artefact.model, artefact.version)
        if draft.is_dir() and not (target.is_dir() and _is_registered(ctx, artefact)):
            done = package(load_artefact(draft, files=DRAFT_FILES), ctx.settings.models_dir)
            ctx.progress(f"{done.model} {done.version} is packed in {done.folder}")
        else:
            done = load_artefact(target)
        partition = version_partition(done)
        evaluation = ctx.warehouse.as_input(EVALUATIONS, partition)
        written.append(
            ctx.warehouse.write(
                PACKAGED,
                partition,
                _package_frame(ctx, done),
                inputs=[*([evaluation] if evaluation else []), model_input(done)],
                code_version=code_version(__name__),
            )
        )
    return written


def _package_frame(ctx: StepContext, artefact: Artefact) -> pl.DataFrame:
    rows = [
        {
            "network": artefact.network,
            "model": artefact.model,
            "version": artefact.version,
            "file": name,
            "sha256": digest,
            "size_bytes": (artefact.folder / name).stat().st_size,
            "artefact_path": path_in_models(ctx.settings.models_dir, artefact.folder),
        }
        for name, digest in sorted(artefact.manifest["files"].items())
    ]
    return pl.DataFrame(rows, schema=PACKAGES.polars_schema)


def _is_registered(ctx: StepContext, artefact: Artefact) -> bool:
    events = registry_events(ctx.warehouse, artefact.network)
    return artefact.version in current(events, artefact.network, artefact.model)["version"]


def gate_failures(
    ctx: StepContext, site: NetworkSite, plan: TrainingPlan | None = None
) -> dict[str, list[str]]:
    """Return a line for each gate that the newest models do not hold, by model; empty if none.

    Raises
    ------
    MissingInputError
        If they were not evaluated yet.
    """
    found = {}
    configs = (plan or TrainingPlan.of(ctx.settings)).configs
    for artefact in newest_artefacts(ctx, site, plan):
        frame = ctx.warehouse.require(
            EVALUATIONS, version_partition(artefact), remedy="Evaluate the models first"
        )
        name = f"{artefact.model} {artefact.version}"
        if lines := failed_gates(frame, configs[artefact.model].gates):
            found[artefact.model] = [f"{name}: {line}" for line in lines]
    return found


def held_out_metrics(
    ctx: StepContext, site: NetworkSite, plan: TrainingPlan | None = None
) -> Mapping[str, Mapping[str, float | None]]:
    """Return what the newest models reach on the test split, by model and metric."""
    found = {}
    for artefact in newest_artefacts(ctx, site, plan):
        frame = ctx.warehouse.require(
            EVALUATIONS, version_partition(artefact), remedy="Evaluate the models first"
        ).filter(pl.col("split") == "test")
        found[artefact.model] = dict(zip(frame["metric"], frame["value"], strict=True))
    return found


def _windows(ctx: StepContext, batches: TrainingBatches) -> WindowSet:
    ctx.progress("reading training features")
    statistics = dict.fromkeys(
        s for name in MODELS for s in load_config(name, ctx.settings.configs_dir).statistics
    )
    return training_set(batches.frames(ctx.warehouse, FEATURES), tuple(statistics))


def _refuse_to_replace(ctx: StepContext, network: str, name: str, version: str) -> None:
    """Keep the folder of a registered version: it may be in use until new gates have held."""
    folder = artefact_folder(ctx.settings.models_dir, name, version)
    known = current(registry_events(ctx.warehouse, network), network, name)["version"].to_list()
    if folder.is_dir() and version in known:
        raise InputError(
            f"{name} {version} of {network} is registered but has no row in models.training_runs",
            remedy="Restore that partition, or train from another plan (`--seed`)",
            file=folder,
        )


def _train(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return train_models(work.ctx, work.network, TrainingPlan.for_work(work))


def _evaluate(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return write_evaluations(work.ctx, work.network, TrainingPlan.for_work(work))


def _export(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    return export_models(work.ctx, work.network, TrainingPlan.for_work(work))


def _register(work: Work, _partitions: Sequence[Partition]) -> list[Written]:
    plan = TrainingPlan.for_work(work)
    failures = gate_failures(work.ctx, work.network, plan)
    artefacts = newest_artefacts(work.ctx, work.network, plan)
    return register_models(work.ctx, work.network, artefacts, failures)


def _configurations(work: Work) -> list[Input]:
    plan = TrainingPlan.for_work(work)
    return [Input("config", name, "", one.sha256) for name, one in plan.configs.items()]


CONFIGS = Given("config", _configurations)

TRAINING_RUNS_STEP = Step(
    name="training_runs",
    partition="site",
    writes=(TRAINING_RUNS, SPLITS),
    reads=(Read(FEATURES), Read(TRUTH), Read("simulation.scenarios"), Read(JUDGED), Read(FROZEN)),
    given=(NETWORK, CONFIGS),
    run=_train,
    description="A detector and a pinpointer, trained on the batches of a network's newest plan.",
)

EVALUATIONS_STEP = Step(
    name="evaluations",
    partition="site",
    writes=(EVALUATIONS, BREAKDOWNS, RELIABILITY),
    reads=(Read(TRAINING_RUNS), Read(FEATURES), Read(TRUTH), Read(FROZEN)),
    given=(NETWORK, CONFIGS),
    run=_evaluate,
    description="How good the newest models are on towns they have never seen.",
)

PACKAGES_STEP = Step(
    name="packages",
    partition="site",
    writes=(PACKAGED,),
    reads=(Read(EVALUATIONS),),
    given=(CONFIGS,),
    run=_export,
    description="The newest models as packages that other programs load.",
)

REGISTRY_STEP = Step(
    name="registry_events",
    partition="site",
    writes=("models.registry_events",),
    reads=(Read(EVALUATIONS), Read(PACKAGED)),
    given=(),
    run=_register,
    description="The newest models in the registry: validated, beside the ones in use, or in use.",
)
