"""A simulated stream of a treatment plant's sensors, with labeled anomalies."""
