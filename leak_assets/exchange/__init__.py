"""Other programs' files: what is written for them and read from them. No computation."""
