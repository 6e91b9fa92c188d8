"""Floor 2: from media to batches."""
