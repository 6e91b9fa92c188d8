"""Floor 1: losses, pure functions of tensors."""

from egonorm.losses.norm import mean_norm, norms, relative_norm_alignment

__all__ = ["mean_norm", "norms", "relative_norm_alignment"]
