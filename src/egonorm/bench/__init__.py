"""Floor 5: runs, their rows, and tables of them."""
