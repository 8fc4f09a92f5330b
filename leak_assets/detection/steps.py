"""The detection room's step: score the windows of days with the models in use."""

from collections.abc import Iterator, Mapping, Sequence

from leak_assets.models.artefact import Artefact
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.steps import champion_inputs, champions
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.warehouse.schemas.detection import WINDOW_CANDIDATES, WINDOW_SCORES

from .windows.scoring import Scorer

TABLES = ("detection.window_scores", "detection.window_candidates")


def score_frames(work: Work, partitions: Sequence[Partition]) -> Iterator[tuple[Partition, Frames]]:
    """Yield the scores of the windows that end in each day.

    Without models in use the days have no rows, and the progress says how to get models.

    Raises
    ------
    InputError
        If the models in use were trained on another network model or sensor layout.
    """
    in_use = champions(work.ctx, work.network)
    if DETECTOR not in in_use:
        work.progress(
            f"no detector of {work.site.name} is in use, so nothing is scored;"
            f" run `leak-assets train --network {work.site.name}`"
        )
    scorer: Scorer | None = None
    for partition in partitions:
        residuals = work.read_around("features.residuals", day_of(partition), 1)
        if DETECTOR not in in_use:
            frames = (WINDOW_SCORES.empty(), WINDOW_CANDIDATES.empty())
        else:
            scorer = scorer or _scorer(work, in_use)
            frames = scorer.score_windows(residuals, day=day_of(partition))
        yield partition, dict(zip(TABLES, frames, strict=True))


def _scorer(work: Work, in_use: Mapping[str, Artefact]) -> Scorer:
    site = work.network
    for model in in_use.values():
        # Told, not refused: models learn from scenario runs, which no contract filters.
        if model.manifest["contract_sha256"] != site.contract.sha256:
            work.progress(f"{model.model} {model.version} was trained under another data contract")
    return Scorer(in_use[DETECTOR], in_use.get(PINPOINTER), provenance=site.provenance)


SCORES_STEP = Step(
    name="window_scores",
    partition="day",
    writes=TABLES,
    reads=(Read("features.residuals", first_day=-1, required=True),),
    given=(Given("model", champion_inputs, tables=("models.registry_events",)),),
    compute=score_frames,
    # All at once: the models are loaded and verified once.
    days_at_once=400,
    description="Every window scored by the detector, alarmed ones ranked by the pinpointer.",
)
