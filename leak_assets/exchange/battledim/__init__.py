"""BattLeDIM's files: telemetry, leaks, truth and submissions."""
