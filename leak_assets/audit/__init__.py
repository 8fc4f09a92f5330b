"""Where an incident comes from, and whether it comes out the same again."""
