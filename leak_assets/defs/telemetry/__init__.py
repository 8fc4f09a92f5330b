"""Dagster objects of the room `telemetry`."""
