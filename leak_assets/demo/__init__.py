"""The demo: a town that nobody has seen, its leaks found through the same assets as real data."""
