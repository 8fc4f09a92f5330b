"""The graph as a whole: run it without a daemon, say what is stale."""
