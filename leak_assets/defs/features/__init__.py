"""Dagster objects of the room `features`."""
