"""Dagster objects of the benchmark."""
