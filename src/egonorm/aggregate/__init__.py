"""Floor 7: the rows of many runs, aggregated once."""
