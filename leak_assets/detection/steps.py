"""The detection room's step: score the windows of days with the models in force."""

from collections.abc import Mapping, Sequence
from datetime import date

from leak_assets.detection.windows.scoring import Scorer
from leak_assets.features.steps import context_inputs, residuals_with_context
from leak_assets.models.artefact import Artefact
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.steps import champions
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites.contract import load_contract
from leak_assets.sites.provenance import Provenance
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas.scores import LEAK_CANDIDATES, WINDOW_SCORES

CODE_VERSION = "1"
TABLES = ("scores.window_scores", "scores.leak_candidates")


def write_scores(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Score the windows that end in each day.

    Days without residuals are left out; without models in force the days have no rows, and the
    progress says how to get models.

    Returns
    -------
    list of Written
        Partitions of `scores.window_scores` and `scores.leak_candidates`.

    Raises
    ------
    InputError
        If the models in force were trained on another network model or sensor layout.
    """
    in_use = champions(ctx, network)
    if DETECTOR not in in_use:
        ctx.progress(
            f"no detector of {network} is in force, so nothing is scored;"
            f" run `leak-assets train --network {network}`"
        )
    scorer: Scorer | None = None
    written: list[Written] = []
    for day in days:
        partition = day_partition(day, network)
        inputs = score_inputs(ctx, network, day, in_use)
        if standing := ctx.up_to_date(TABLES, partition, inputs, CODE_VERSION):
            written += standing
            continue
        residuals = residuals_with_context(ctx, network, day)
        if residuals is None:
            continue
        if DETECTOR not in in_use:
            scores, candidates = WINDOW_SCORES.empty(), LEAK_CANDIDATES.empty()
        else:
            scorer = scorer or _scorer(ctx, network, in_use)
            scores, candidates = scorer.score_windows(residuals, day=day)
        written += [
            ctx.warehouse.write(table, partition, frame, inputs=inputs, code_version=CODE_VERSION)
            for table, frame in zip(TABLES, (scores, candidates), strict=True)
        ]
    return written


def _scorer(ctx: StepContext, network: str, in_use: Mapping[str, Artefact]) -> Scorer:
    now = Provenance.of(ctx.network(network), ctx.layout(network))
    contract = load_contract().sha256
    for model in in_use.values():
        # Told, not refused: models learn from scenario runs, which no contract filters.
        if model.manifest["contract_sha256"] != contract:
            ctx.progress(f"{model.model} {model.version} was trained under another data contract")
    return Scorer(in_use[DETECTOR], in_use.get(PINPOINTER), provenance=now)


def score_inputs(
    ctx: StepContext, network: str, day: date, in_use: Mapping[str, Artefact]
) -> list[Input]:
    """Return what the scores of a day are made from.

    Parameters
    ----------
    in_use
        As from `champions`.
    """
    models = [Input("model", a.model, a.network, a.version) for a in in_use.values()]
    return [*context_inputs(ctx, network, day), *models]
