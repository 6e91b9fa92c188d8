"""One figure a file, drawn from runs."""
