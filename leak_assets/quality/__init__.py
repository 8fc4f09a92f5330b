"""Quality: judgements of values, health of sensors, checks of contracts."""
