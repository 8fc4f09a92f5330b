"""What models look at: grids, windows, labels and their statistics."""
