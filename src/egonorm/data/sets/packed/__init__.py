"""Media that `egonorm data pack` has turned into JPEG pictures and WAV files, which load fast."""

from egonorm.data.sets.packed.dataset import PackedSet, open_packed

open_set = open_packed

__all__ = ["PackedSet", "open_packed", "open_set"]
