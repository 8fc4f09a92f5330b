"""Assets of the models: training, evaluation on held-out scenarios, and what is in force."""

from collections.abc import Iterator

import dagster as dg

from leak_assets.defs.partitions import NETWORKS
from leak_assets.defs.policy import table_specs
from leak_assets.defs.publish import publish
from leak_assets.defs.resources import Platform
from leak_assets.models.steps import (
    newest_artefacts,
    register_models,
    train_models,
    write_evaluations,
)
from leak_assets.models.training import CODE_VERSION
from leak_assets.reports.figures import training_figure

TRAINING_RUNS = ("models.training_runs",)
EVALUATIONS = ("models.evaluations",)
REGISTRY_EVENTS = ("models.registry_events",)


@dg.multi_asset(
    name="training_runs",
    specs=table_specs(
        TRAINING_RUNS,
        deps=[["features", "training_residuals"], ["simulation", "leak_truth"]],
        partitions_def=NETWORKS,
        code_version=CODE_VERSION,
    ),
)
def training_runs(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """A detector and a pinpointer, trained on the scenario batches of a network's newest plan."""
    ctx = platform.of(context)
    network = context.partition_key
    written = train_models(ctx, network)
    history = ctx.warehouse.read_all(TRAINING_RUNS[0], network=network)
    newest = {f"{a.model}-{a.version}": a for a in newest_artefacts(ctx, network)}
    shown = history.filter(history["version"].is_in([a.version for a in newest.values()]))
    yield from publish(
        context,
        TRAINING_RUNS,
        written,
        metadata={name: str(a.folder) for name, a in newest.items()},
        plots={"loss by epoch": training_figure(shown)},
    )


@dg.multi_asset(
    name="evaluations",
    specs=table_specs(
        EVALUATIONS,
        deps=[["models", "training_runs"]],
        partitions_def=NETWORKS,
        code_version=CODE_VERSION,
    ),
)
def evaluations(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """How good the newest models are on towns they have never seen."""
    ctx = platform.of(context)
    written = write_evaluations(ctx, context.partition_key)
    metrics = {
        f"{artefact.model}/{name}": float(value)
        for artefact in newest_artefacts(ctx, context.partition_key)
        for name, value in artefact.metrics["test"].items()
        if value is not None
    }
    yield from publish(context, EVALUATIONS, written, metadata=metrics)


@dg.multi_asset(
    name="registry_events",
    specs=table_specs(
        REGISTRY_EVENTS,
        deps=[["models", "evaluations"]],
        partitions_def=NETWORKS,
        code_version=CODE_VERSION,
    ),
)
def registry_events(
    context: dg.AssetExecutionContext, platform: Platform
) -> Iterator[dg.MaterializeResult]:
    """The newest models in force, after their gates held."""
    ctx = platform.of(context)
    yield from publish(context, REGISTRY_EVENTS, register_models(ctx, context.partition_key))
