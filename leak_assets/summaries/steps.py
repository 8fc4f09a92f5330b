"""The summaries room's step: a text for each incident revision of days."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import polars as pl

from leak_assets.pipeline.context import StepContext
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.incidents import SUMMARIES

from .client import summarize
from .facts import Facts, incident_facts
from .prompt import build_messages, prompt_sha256
from .rows import summary_row

TABLE = "incidents.summaries"
_SOURCES = ("incidents.incident_events", "incidents.candidates", "incidents.evidence")


def summary_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the summaries of each day that has incident rows.

    A revision whose text was written from the same facts by the writer that is configured now
    keeps it: nobody pays for the same text twice, and repeating a day changes nothing.
    """
    for partition in partitions:
        events, candidates, evidence = (work.read(t, partition) for t in _SOURCES)
        if events is None or candidates is None or evidence is None:
            continue
        former = work.read(TABLE, partition)
        rows = [
            _row(work.ctx, work.site.name, event, candidates, evidence, former)
            for event in events.iter_rows(named=True)
        ]
        yield partition, {TABLE: pl.concat([SUMMARIES.empty(), *rows])}


def _row(
    ctx: StepContext,
    network: str,
    event: dict[str, object],
    candidates: pl.DataFrame,
    evidence: pl.DataFrame,
    former: pl.DataFrame | None,
) -> pl.DataFrame:
    facts = incident_facts(
        event=event,
        candidates=candidates,
        evidence=evidence,
        price_eur_per_m3=ctx.settings.water_price_eur_per_m3,
    )
    kept = _kept(ctx, event, facts, former)
    if kept is not None:
        return kept
    ctx.progress(f"summary of {event['incident_id']}, revision {event['revision']}")
    of = {"network": network, **{key: event[key] for key in ("incident_id", "revision")}}
    return summary_row(SUMMARIES, of, summarize(facts, ctx.settings), datetime.now(UTC))


def _kept(
    ctx: StepContext, event: dict[str, object], facts: Facts, former: pl.DataFrame | None
) -> pl.DataFrame | None:
    """Return the former row where it says the same by the same writer.

    A text that the template wrote because the language model failed is asked for again.
    """
    if former is None:
        return None
    wanted = ctx.settings.llm_model_name if ctx.settings.openai_api_base else None
    same = former.filter(
        (pl.col("incident_id") == event["incident_id"])
        & (pl.col("revision") == event["revision"])
        & (pl.col("prompt_sha256") == prompt_sha256(build_messages(facts)))
        & pl.col("model_name").eq_missing(wanted)
    )
    return same if same.height == 1 else None


def _writer(work: Work) -> tuple[Input, ...]:
    settings = work.settings
    name = settings.llm_model_name if settings.openai_api_base else "template"
    return (Input("model", name, "", ""),)


SUMMARIES_STEP = Step(
    name="summaries",
    partition="day",
    writes=(TABLE,),
    reads=tuple(Read(table, required=True) for table in _SOURCES),
    # Recorded, not judged: another language model does not make old texts wrong.
    given=(Given("model", _writer, judged=False),),
    compute=summary_frames,
    description="The text of each incident revision, by a language model or by the template.",
)
