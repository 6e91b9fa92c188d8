"""How unequal the modalities' feature norms are, and how unevenly a feature's length is spread over its numbers."""

from collections.abc import Mapping
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor


def mean_norm_difference(mean_norms: Mapping[str, float]) -> dict[str, float]:
    """The paper's delta (arXiv 2106.01689, Eq. 1): mean norm of one modality minus that of the next, for each pair.

    The keys are `first-second`, in the mapping's order; for RGB and audio the paper's `E[h(X_v)] - E[h(X_a)]`.
    """
    return {f"{a}-{b}": mean_norms[a] - mean_norms[b] for a, b in combinations(mean_norms, 2)}


def top_share(features: Float[Tensor, "clip feature"], share: float = 300 / 1024) -> Float[Tensor, " clip"]:
    """The L2 norm of each feature's largest numbers over that of all of them, from 0 to 1 (arXiv 2106.01689, Fig. 7b).

    The paper takes the 300 largest of 1024 and says no more; here "largest" is by magnitude, and `share` keeps that proportion at
    any size. A feature of zeros has all its length in any of its numbers.
    """
    x = features.to(torch.promote_types(features.dtype, torch.float32)).abs()
    largest = x.topk(max(1, round(share * x.shape[1])), dim=1).values
    of_all = torch.linalg.vector_norm(x, dim=1)
    return torch.where(of_all > 0, torch.linalg.vector_norm(largest, dim=1) / of_all, torch.ones_like(of_all))
