"""The detection room's step: score the windows of days with the models in force."""

from collections.abc import Sequence
from datetime import date

from leak_assets.context import StepContext, day_partition
from leak_assets.features.steps import residuals_with_context
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.steps import champions
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas.scores import LEAK_CANDIDATES, WINDOW_SCORES

from .scoring import Scorer

CODE_VERSION = "1"


def write_scores(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Score the windows that end in each day.

    Days without residuals are left out; without models in force the days have no rows, and the
    progress says how to get models.

    Returns
    -------
    list of Written
        Partitions of `scores.window_scores` and `scores.leak_candidates`.
    """
    in_force = champions(ctx, network)
    scorer = None
    if DETECTOR in in_force:
        scorer = Scorer(in_force[DETECTOR], in_force.get(PINPOINTER))
    else:
        ctx.tell(
            f"no detector of {network} is in force, so nothing is scored;"
            f" run `leak-assets train --network {network}`"
        )
    models = [Input("model", a.model, a.network, a.version) for a in in_force.values()]
    written: list[Written] = []
    for day in days:
        residuals, inputs = residuals_with_context(ctx, network, day)
        if residuals is None:
            continue
        if scorer is None:
            scores, candidates = WINDOW_SCORES.empty(), LEAK_CANDIDATES.empty()
        else:
            scores, candidates = scorer.score_windows(residuals, day=day)
        frames = {"scores.window_scores": scores, "scores.leak_candidates": candidates}
        written += [
            ctx.warehouse.write(
                table,
                day_partition(day, network),
                frame,
                inputs=[*inputs, *models],
                code_version=CODE_VERSION,
            )
            for table, frame in frames.items()
        ]
    return written
