"""Dagster objects of the room `runs`."""
