"""The step of a plant's summaries: a text for the anomalies of each interval."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import polars as pl

from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.plant import SUMMARIES

from .plant_interval import interval_facts, interval_row, same_text

TABLE, ANOMALIES = "plant.summaries", "plant.anomalies"
LIVE = "plant.live_summaries"


def plant_summary_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the summaries of each day; a text that was written from the same facts is kept.

    Also one that the live watch wrote: nobody pays for the same text twice.
    """
    for partition in partitions:
        anomalies = work.read(ANOMALIES, partition)
        if anomalies is None:
            continue
        own = {"date": day_of(partition).isoformat(), "site": work.site.name}
        known = [work.read(TABLE, partition), work.warehouse.read(LIVE, own)]
        columns = SUMMARIES.polars_schema.names()
        former = pl.concat(
            [k.select(columns) for k in known if k is not None] or [SUMMARIES.empty()]
        )
        rows = []
        for interval in intervals(anomalies, work.settings.summary_interval_s):
            facts = interval_facts(interval, work.settings)
            row = same_text(former, interval, facts)
            if row is None:
                row = interval_row(SUMMARIES, interval, facts, work.site.name, work.settings)
            rows.append(row)
        yield partition, {TABLE: pl.concat([SUMMARIES.empty(), *rows])}


def intervals(anomalies: pl.DataFrame, interval_s: float) -> list[pl.DataFrame]:
    """Return anomalies cut into stretches no longer than an interval, in order.

    A stretch begins with the first anomaly that none before holds.
    """
    ordered = anomalies.sort("ts_utc", "anomaly_id")
    found: list[pl.DataFrame] = []
    while not ordered.is_empty():
        end = ordered.item(0, "ts_utc") + timedelta(seconds=interval_s)
        first = ordered.filter(pl.col("ts_utc") < end)
        found.append(first)
        ordered = ordered.slice(first.height)
    return found


def _writer(work: Work) -> tuple[Input, ...]:
    name = work.settings.llm_model_name if work.settings.openai_api_base else "template"
    return (Input("model", name, "", ""),)


PLANT_SUMMARIES_STEP = Step(
    name="plant_summaries",
    partition="day",
    writes=(TABLE,),
    reads=(Read(ANOMALIES, required=True),),
    # Recorded, not judged: another language model does not make old texts wrong.
    given=(Given("model", _writer, judged=False),),
    compute=plant_summary_frames,
    kinds=("plant",),
    description="The text of a plant's anomalies, by a language model or by the template.",
)
