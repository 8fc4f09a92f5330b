"""EPANET in process: project, snapshots, pressure-driven demand. Knows no town and no sensor."""
