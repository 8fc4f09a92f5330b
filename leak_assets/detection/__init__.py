"""Detection: one interface, one folder for each method behind it."""
