"""The REST API: what operators and integrators read, over the warehouse and nothing else."""
