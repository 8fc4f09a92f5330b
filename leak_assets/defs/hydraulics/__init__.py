"""Dagster objects of the room `simulation`."""
