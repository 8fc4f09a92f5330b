"""The summary of an interval of a plant's anomalies, for the day's run and the live watch alike."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from leak_assets.settings import Settings
from leak_assets.warehouse.schemas import Table

from .client import summarize
from .facts import Facts, anomaly_facts
from .prompt import build_messages, prompt_sha256
from .rows import summary_row


def interval_facts(anomalies: pl.DataFrame, settings: Settings) -> Facts:
    """Return the facts of an interval.

    Parameters
    ----------
    anomalies
        Rows of `plant.anomalies`, at least one.
    settings
        Say how many are listed.
    """
    stamp = "%Y-%m-%dT%H:%M:%S%.fZ"
    told = anomalies.sort("ts_utc", "anomaly_id").with_columns(
        timestamp=pl.col("ts_utc").dt.strftime(stamp),
        started_at=pl.when(type="drift").then(pl.col("started_at").dt.strftime(stamp)),
    )
    return anomaly_facts(told.to_dicts(), limit=settings.max_buffer_size)


def same_text(former: pl.DataFrame, anomalies: pl.DataFrame, facts: Facts) -> pl.DataFrame | None:
    """Return the row that was written from the same facts, or None."""
    same = former.filter(
        pl.col("first_at") == anomalies.get_column("ts_utc").min(),
        pl.col("prompt_sha256") == prompt_sha256(build_messages(facts)),
    )
    return same.head(1) if same.height else None


def interval_row(
    table: Table,
    anomalies: pl.DataFrame,
    facts: Facts,
    site: str,
    settings: Settings,
    **more: Any,
) -> pl.DataFrame:
    """Return the row of an interval: a language model is asked for its text, where there is one.

    Parameters
    ----------
    table
        `plant.summaries` or `plant.live_summaries`.
    more
        Columns that only that table has.
    """
    of = {
        "site": site,
        "first_at": anomalies.get_column("ts_utc").min(),
        "last_at": anomalies.get_column("ts_utc").max(),
        "anomalies": anomalies.height,
        **more,
    }
    return summary_row(table, of, summarize(facts, settings), datetime.now(UTC))
