"""Dagster objects of the room `hydraulics`."""
