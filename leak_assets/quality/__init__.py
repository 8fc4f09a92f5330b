"""Quality: cheap checks per batch and the Great Expectations suite per day."""
