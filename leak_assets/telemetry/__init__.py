"""Telemetry: landing zone, file readers, data contract, raw log, validated readings."""
