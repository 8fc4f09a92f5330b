"""The summaries room's step: a text for each incident revision of days."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas.incidents import SUMMARIES

from .client import summarize
from .facts import Facts, incident_facts
from .prompt import build_messages, prompt_sha256
from .rows import summary_row

CODE_VERSION = "1"
_SOURCES = ("incidents.incident_events", "incidents.candidates", "incidents.evidence")


def write_summaries(ctx: StepContext, network: str, days: Sequence[date]) -> list[Written]:
    """Write the summaries of each day that has incident rows.

    A revision whose text was written from the same facts by the writer that is configured now
    keeps it: nobody pays for the same text twice, and repeating a day changes nothing.
    """
    written: list[Written] = []
    for day in days:
        partition = day_partition(day, network)
        events, candidates, evidence = (ctx.warehouse.read(t, partition) for t in _SOURCES)
        if events is None or candidates is None or evidence is None:
            continue
        standing = ctx.warehouse.read("incidents.summaries", partition)
        rows = [
            _row(ctx, network, event, candidates, evidence, standing)
            for event in events.iter_rows(named=True)
        ]
        inputs = [ctx.warehouse.as_input(table, partition) for table in _SOURCES]
        written.append(
            ctx.warehouse.write(
                "incidents.summaries",
                partition,
                pl.concat([SUMMARIES.empty(), *rows]),
                inputs=[*(i for i in inputs if i is not None), _writer(ctx)],
                code_version=CODE_VERSION,
            )
        )
    return written


def _row(
    ctx: StepContext,
    network: str,
    event: dict[str, object],
    candidates: pl.DataFrame,
    evidence: pl.DataFrame,
    standing: pl.DataFrame | None,
) -> pl.DataFrame:
    facts = incident_facts(
        event=event,
        candidates=candidates,
        evidence=evidence,
        price_eur_per_m3=ctx.settings.water_price_eur_per_m3,
    )
    kept = _kept(ctx, event, facts, standing)
    if kept is not None:
        return kept
    ctx.progress(f"summary of {event['incident_id']}, revision {event['revision']}")
    return summary_row(
        network=network,
        incident_id=str(event["incident_id"]),
        revision=int(str(event["revision"])),
        summary=summarize(facts, ctx.settings),
        created_at=datetime.now(UTC),
    )


def _kept(
    ctx: StepContext, event: dict[str, object], facts: Facts, standing: pl.DataFrame | None
) -> pl.DataFrame | None:
    """Return the standing row where it says the same by the same writer.

    A text that the template wrote because the language model failed is asked for again.
    """
    if standing is None:
        return None
    wanted = ctx.settings.llm_model_name if ctx.settings.openai_api_base else None
    same = standing.filter(
        (pl.col("incident_id") == event["incident_id"])
        & (pl.col("revision") == event["revision"])
        & (pl.col("prompt_sha256") == prompt_sha256(build_messages(facts)))
        & pl.col("model_name").eq_missing(wanted)
    )
    return same if same.height == 1 else None


def _writer(ctx: StepContext) -> Input:
    name = ctx.settings.llm_model_name if ctx.settings.openai_api_base else "template"
    return Input("model", name, "", CODE_VERSION)
