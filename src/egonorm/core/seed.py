"""Randomness has an address: a seed follows from the names of the place that it is for, and from nothing else."""

import hashlib


def seed_for(*parts: object) -> int:
    """A seed of 63 bits for a named place in the experiment."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big") >> 1
