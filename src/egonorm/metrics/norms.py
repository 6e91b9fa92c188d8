"""How unequal the modalities' feature norms are."""

from collections.abc import Mapping
from itertools import combinations


def mean_norm_difference(mean_norms: Mapping[str, float]) -> dict[str, float]:
    """The paper's delta (arXiv 2106.01689, Eq. 1): mean norm of one modality minus that of the next, for each pair.

    The keys are `first-second`, in the mapping's order; for RGB and audio the paper's `E[h(X_v)] - E[h(X_a)]`.
    """
    return {f"{a}-{b}": mean_norms[a] - mean_norms[b] for a, b in combinations(mean_norms, 2)}
