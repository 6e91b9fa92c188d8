"""Floor 2: the networks."""
