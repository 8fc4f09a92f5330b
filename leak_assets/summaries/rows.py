"""The row that a summary leaves in the warehouse."""

from datetime import datetime

import polars as pl

from leak_assets.warehouse.schemas.incidents import SUMMARIES

from .client import Summary


def summary_row(
    *, network: str, incident_id: str, revision: int, summary: Summary, created_at: datetime
) -> pl.DataFrame:
    """Return one row of `incidents.summaries`.

    Parameters
    ----------
    network, incident_id, revision
        The incident revision that the text is about.
    summary
        From `client.summarize`.
    created_at
        When it was written, UTC.
    """
    return pl.DataFrame(
        [
            {
                "network": network,
                "incident_id": incident_id,
                "revision": revision,
                "summary": summary.text,
                "generated_by": summary.generated_by,
                "model_name": summary.model_name,
                "temperature": summary.temperature,
                "prompt_sha256": summary.prompt_sha256,
                "prompt_tokens": summary.prompt_tokens,
                "completion_tokens": summary.completion_tokens,
                "latency_s": round(summary.latency_s, 3),
                "fallback_reason": summary.fallback_reason,
                "created_at": created_at,
            }
        ],
        schema=SUMMARIES.polars_schema,
    )
