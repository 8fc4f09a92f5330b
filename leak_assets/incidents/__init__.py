"""Incidents: from window scores to what a crew acts on, its value, its pictures, its report."""
