"""Losses on the angle between the modalities' features of one clip, blind to their lengths."""

from collections.abc import Callable, Mapping
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from egonorm.losses.arguments import check_features

_Features = Mapping[str, Float[Tensor, "clip feature"]]


def cosine_distance(features: _Features) -> Float[Tensor, ""]:
    """`1 - cos(f_v, f_a)`, the mean over clips and over all pairs of modalities; 0 where they point the same way.

    The paper's "Align. Only" (arXiv 2106.01689, Table 1).

    Raises:
        ArgumentError: with fewer than two modalities, or features of different sizes.
    """
    return _mean_over_pairs(features, lambda cosine: 1 - cosine)


def squared_cosine(features: _Features) -> Float[Tensor, ""]:
    """`cos(f_v, f_a)^2`, the mean over clips and over all pairs of modalities; 0 where they are at right angles.

    The paper's "Orth. Only" (arXiv 2106.01689, Table 1).

    Raises:
        ArgumentError: with fewer than two modalities, or features of different sizes.
    """
    return _mean_over_pairs(features, torch.square)


def _mean_over_pairs(features: _Features, loss: Callable[[Tensor], Tensor]) -> Float[Tensor, ""]:
    check_features(features, fewest=2, equal_sizes=True)
    return torch.stack([loss(cosine_similarity(a, b)).mean() for a, b in combinations(features.values(), 2)]).mean()
