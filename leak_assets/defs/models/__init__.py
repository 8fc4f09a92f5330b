"""Dagster objects of the room `models`."""
