"""The page as data, as HTML, and on the disk."""
