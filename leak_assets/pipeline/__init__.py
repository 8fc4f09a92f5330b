"""What a step is: what it reads, writes and is made by, and the one loop around it."""
