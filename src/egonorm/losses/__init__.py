"""Floor 1: losses, pure functions of tensors."""

from egonorm.losses.angle import cosine_distance, squared_cosine
from egonorm.losses.correspondence import mix_up_half
from egonorm.losses.divergence import squared_mmd
from egonorm.losses.gradient_reversal import reverse_gradient
from egonorm.losses.norm import hard_norm_alignment, mean_norm, norms, relative_norm_alignment

__all__ = [
    "cosine_distance",
    "hard_norm_alignment",
    "mean_norm",
    "mix_up_half",
    "norms",
    "relative_norm_alignment",
    "reverse_gradient",
    "squared_cosine",
    "squared_mmd",
]
