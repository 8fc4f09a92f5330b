"""Dagster objects of the reports."""
