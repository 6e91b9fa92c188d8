"""Floor 4: training and judging."""
