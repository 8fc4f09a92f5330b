"""Readers: one delivered file in, parsed readings and problems out."""
