"""Dagster objects of the room `scores`."""
