"""Columns of every table of summaries: the text, who wrote it and from what."""

import polars as pl

from .table import UTC_US, Column

WRITTEN = (
    Column("summary", pl.String, "the text"),
    Column("generated_by", pl.String, "`llm_summarizer` or `template`"),
    Column("model_name", pl.String, "language model, null for the template", True),
    Column("temperature", pl.Float64, "sampling temperature, null for the template", True),
    Column("prompt_sha256", pl.String, "hash of the prompt"),
    Column("prompt_tokens", pl.Int64, "tokens in, where the server tells", True),
    Column("completion_tokens", pl.Int64, "tokens out, where the server tells", True),
    Column("latency_s", pl.Float64, "time taken"),
    Column("finish_reason", pl.String, "why the language model stopped, where it says so", True),
    Column("fallback_reason", pl.String, "why the template wrote it", True),
    Column("created_at", UTC_US, "when"),
)
