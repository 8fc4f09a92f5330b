"""The engine: EPANET's time loop with leaks, events and recorders."""
