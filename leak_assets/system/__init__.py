"""The machine: whole files, locks, processes, terminal, clock. Knows nothing of water."""
