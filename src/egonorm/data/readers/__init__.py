"""One reader per kind of medium."""
