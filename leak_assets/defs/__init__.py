"""Dagster objects only: one folder per room, one noun per file. No mathematics."""

import warnings

from dagster import BetaWarning, PreviewWarning

# Multi-dimensional partition mappings, single-run backfills and partitioned checks are beta in
# 1.13; tests pin what is used of them, so the warning at every start says nothing new.
warnings.filterwarnings("ignore", category=BetaWarning)
warnings.filterwarnings("ignore", category=PreviewWarning)
