"""Jobs of the models: assets of a training, seven steps of a retraining, the nightly watch."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from leak_assets.defs.hydraulics.config import ScenarioRunConfig
from leak_assets.defs.partitions import SITES
from leak_assets.defs.publish import materializations, picture
from leak_assets.defs.resources import Platform
from leak_assets.defs.shown import SHOWN
from leak_assets.models.config import DETECTOR
from leak_assets.models.plan import TrainingPlan
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import NetworkSite

from .checks import EVALUATIONS, GATES, gate_verdict

WATCHED = dg.AssetSelection.assets(["models", "drift"], ["models", "shadow_report"])

TRAINING = dg.define_asset_job(
    "training",
    selection=dg.AssetSelection.groups("models") - WATCHED,
    description="Train, evaluate, check the gates, export and register the models of a network.",
)

WATCH = dg.define_asset_job(
    "model_watch",
    selection=WATCHED,
    description="How far operation has drifted from what a network's models began with, and how"
    " challengers in shadow mode compare.",
)

# Names of `benchmark.retraining.STAGES`, which a test compares: importing them brings the
# simulator along.
STAGES = (
    "contract",
    "preprocess_and_featurize",
    "train",
    "evaluate_and_gate",
    "export",
    "register",
    "shadow",
)

# Tables whose pictures a step shows.
SHOWN_TABLES: Mapping[str, tuple[str, ...]] = dict.fromkeys(STAGES, ()) | {
    "train": ("models.training_runs",),
    "evaluate_and_gate": ("models.evaluations",),
}


def _carry_out(
    context: dg.OpExecutionContext, platform: Platform, name: str, asked: Mapping[str, Any]
) -> None:
    from leak_assets.benchmark import retraining

    ctx = platform.at(context.run.run_id, context.log.info)
    training = retraining.Training(
        ctx,
        ctx.registered_network(context.partition_key),
        TrainingPlan.of(ctx.settings),
        ScenarioRunConfig(**asked).plan(),
    )
    written = retraining.STAGES[name](training)
    shown = {table: _shown(ctx, training.site, table) for table in SHOWN_TABLES[name]}
    for event in materializations(written, shown):
        context.log_event(event)
    if shown:
        context.add_output_metadata({k: v for one in shown.values() for k, v in one.items()})
    if name == "evaluate_and_gate":
        gates = gate_verdict(ctx, training.site)
        told = dg.AssetCheckEvaluation(
            EVALUATIONS, GATES, **gates, blocking=True, partition=context.partition_key
        )
        # Taken, although the signature names other events only.
        context.log_event(told)  # type: ignore[arg-type]
    if name == "register":
        rejected = retraining.rejections(training)
        if DETECTOR in rejected:
            lines = [line for mine in rejected.values() for line in mine]
            raise dg.Failure(
                description="; ".join(lines),
                metadata={"failed_gates": len(lines)},
                allow_retries=False,
            )


def _shown(ctx: StepContext, site: NetworkSite, table: str) -> dict[str, Any]:
    """Return what the asset of a table shows beside rows: figures of merit and pictures."""
    entries, plots = SHOWN[table.split(".")[1]](ctx, site, [])
    return entries | {title: picture(png) for title, png in plots.items()}


@dg.op(name=STAGES[0], description="Check contracts and configurations of the network's models.")
def contract(
    context: dg.OpExecutionContext, platform: Platform, config: ScenarioRunConfig
) -> dict[str, Any]:
    """Begin a retraining; the plan of its scenarios goes from step to step."""
    asked = config.model_dump()
    _carry_out(context, platform, STAGES[0], asked)
    return asked


def _step(name: str) -> dg.OpDefinition:
    @dg.op(name=name, description=f"Step `{name}` of a retraining.")
    def step(
        context: dg.OpExecutionContext, platform: Platform, asked: dict[str, Any]
    ) -> dict[str, Any]:
        _carry_out(context, platform, name, asked)
        return asked

    return step


_LATER = [_step(name) for name in STAGES[1:]]


@dg.job(
    name="retraining",
    partitions_def=SITES,
    executor_def=dg.in_process_executor,
    description="The seven steps from the contract to shadow mode, in order, on newly simulated"
    " towns. A failed gate fails the run and leaves the model in use as it is.",
)
def retraining() -> None:
    """Run the steps one after the other."""
    asked = contract()
    for step in _LATER:
        asked = step(asked)
