"""The dashboard: what operators look at, rendered here, readable without a network or a script."""
