"""Floor 6: many runs, on one machine or many."""
