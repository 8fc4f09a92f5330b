"""Dagster objects of the room `plant`."""
