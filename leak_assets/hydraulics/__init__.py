"""Hydraulics: EPANET in process, towns that differ from the model, leaks, scenario runs."""
