"""Challengers in shadow mode: the same windows scored beside the models in use, and nothing more.

No hypothesis and no incident follows from these rows. How a challenger compares is
`audit.shadow_report`'s matter.
"""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from leak_assets.errors import InputError
from leak_assets.models.artefact import Artefact
from leak_assets.models.config import DETECTOR, PINPOINTER
from leak_assets.models.in_use import challenger_inputs, challengers, champion_inputs, champions
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.detection import SHADOW_SCORES

from .scoring import Scorer

TABLE = SHADOW_SCORES.full_name
WINDOWS = "features.windows"


def shadow_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield what the challengers of a network say of the windows that end in each day."""
    scorers = _scorers(work)
    for partition in partitions:
        windows = work.read(WINDOWS, partition)
        if windows is None:
            continue
        rows = [shadow_scores(model, scorer, windows) for model, scorer in scorers.items()]
        found = pl.concat([SHADOW_SCORES.empty(), *rows])
        # What earlier challengers said of the day stays, though they are in use or retired now.
        former = work.read(TABLE, partition)
        if former is not None:
            found = pl.concat(
                [found, former.join(found, on=["model", "method_version"], how="anti")]
            )
        yield partition, {TABLE: found.sort("model", "method_version", "window_start")}


def _scorers(work: Work) -> dict[str, Scorer]:
    """Return a scorer for each challenger, with the model in use of the other kind."""
    site = work.network
    in_use = champions(work.ctx, site)
    found = {}
    for one in challengers(work.ctx, site):
        together: Mapping[str, Artefact] = {**in_use, one.model: one}
        if DETECTOR not in together:
            continue
        try:
            found[one.model] = Scorer(
                together[DETECTOR], together.get(PINPOINTER), provenance=site.provenance
            )
        except InputError as error:
            work.progress(f"no shadow scores of {one.model}: {error}")
    return found


def shadow_scores(model: str, scorer: Scorer, windows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `detection.shadow_scores` of one challenger.

    Parameters
    ----------
    model
        Which of the scorer's two models is the challenger.
    windows
        Rows of `features.windows` of one network.
    """
    scores, candidates = scorer.score_windows(windows)
    version = scorer.detector if model == DETECTOR else scorer.pinpointer
    best = candidates.filter(rank=1).select(
        "window_start", top_link_id="link_id", top_probability="probability"
    )
    return (
        scores.join(best, on="window_start", how="left", maintain_order="left")
        .with_columns(
            model=pl.lit(model), method_version=pl.lit("" if version is None else version.version)
        )
        .select(SHADOW_SCORES.polars_schema.names())
    )


def _models(work: Work) -> list[Input]:
    """Return the challengers; with none, nothing is made anew when the models in use change."""
    found = challenger_inputs(work)
    return [*found, *champion_inputs(work)] if found else []


SHADOW_STEP = Step(
    name="shadow_scores",
    partition="day",
    writes=(TABLE,),
    reads=(Read(WINDOWS, required=True),),
    given=(Given("model", _models, tables=("models.registry_events",)),),
    compute=shadow_frames,
    days_at_once=400,
    description="Every window scored by challengers in shadow mode; nothing follows from it.",
)
