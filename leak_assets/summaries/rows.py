"""The row that a summary leaves in the warehouse."""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from leak_assets.warehouse.schemas import Table

from .client import Summary


def summary_row(
    table: Table, of: Mapping[str, object], summary: Summary, created_at: datetime
) -> pl.DataFrame:
    """Return one row of a table of summaries.

    Parameters
    ----------
    of
        The other columns: what the text is about.
    summary
        From `client.summarize`.
    created_at
        When it was written, UTC.
    """
    written = {
        "summary": summary.text,
        "generated_by": summary.generated_by,
        "model_name": summary.model_name,
        "temperature": summary.temperature,
        "prompt_sha256": summary.prompt_sha256,
        "prompt_tokens": summary.prompt_tokens,
        "completion_tokens": summary.completion_tokens,
        "latency_s": round(summary.latency_s, 3),
        "finish_reason": summary.finish_reason,
        "fallback_reason": summary.fallback_reason,
        "created_at": created_at,
    }
    return pl.DataFrame([{**of, **written}], schema=table.polars_schema)
