"""Sources of telemetry: where deliveries come from and which of them are new."""
