"""The treatment plant: a simulated stream of its sensors, with labeled anomalies."""
