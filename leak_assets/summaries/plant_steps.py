"""The step of a plant's summaries: a text for the anomalies of each interval."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work
from leak_assets.settings import Settings
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas.plant import SUMMARIES

from .client import summarize
from .facts import anomaly_facts
from .prompt import build_messages, prompt_sha256
from .rows import summary_row

TABLE, ANOMALIES = "plant.summaries", "plant.anomalies"


def plant_summary_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the summaries of each day; a text that was written from the same facts is kept."""
    for partition in partitions:
        anomalies = work.read(ANOMALIES, partition)
        if anomalies is None:
            continue
        former = work.read(TABLE, partition)
        rows = [
            _row(interval, work.site.name, work.settings, former)
            for interval in intervals(anomalies, work.settings.summary_interval_s)
        ]
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


def _row(
    anomalies: pl.DataFrame, site: str, settings: Settings, former: pl.DataFrame | None
) -> pl.DataFrame:
    told = anomalies.with_columns(
        timestamp=pl.col("ts_utc").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ"),
        started_at=pl.when(type="drift").then(
            pl.col("started_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
        ),
    )
    facts = anomaly_facts(told.to_dicts(), limit=settings.max_buffer_size)
    first_at = anomalies.item(0, "ts_utc")
    if former is not None:
        same = former.filter(
            pl.col("first_at") == first_at,
            pl.col("prompt_sha256") == prompt_sha256(build_messages(facts)),
        )
        if same.height == 1:
            return same
    of = {
        "site": site,
        "first_at": first_at,
        "last_at": anomalies.item(-1, "ts_utc"),
        "anomalies": anomalies.height,
    }
    return summary_row(SUMMARIES, of, summarize(facts, settings), datetime.now(UTC))


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
