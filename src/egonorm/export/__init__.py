"""Floor 6: clips saved with what a run says of them."""
