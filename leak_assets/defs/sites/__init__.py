"""Dagster objects of the room `sites`."""
