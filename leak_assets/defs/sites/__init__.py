"""Dagster objects of the room `network`."""
