"""Dagster objects of the room `incidents`."""
