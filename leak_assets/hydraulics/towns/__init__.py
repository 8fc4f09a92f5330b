"""Towns that differ from their model, and what happens in them: leaks, events, sensor faults."""
