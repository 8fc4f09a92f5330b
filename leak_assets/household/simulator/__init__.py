"""A simulated main meter of a household, with a label for every use and fault."""
