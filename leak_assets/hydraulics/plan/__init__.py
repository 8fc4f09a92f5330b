"""Plans of scenario batches: which towns, leaks, events and faults are drawn."""
