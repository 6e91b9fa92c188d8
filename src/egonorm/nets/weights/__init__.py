"""Pretrained weights: which there are, fetching them, loading them."""
