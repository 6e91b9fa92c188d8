"""Losses on the lengths of feature vectors: RNA-Net's relative norm alignment, and the hard alignment to one number."""

from collections.abc import Mapping
from itertools import combinations
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from egonorm.losses.arguments import check_choice, check_features, check_number

Numerator = Literal["second", "first"]
Form = Literal["ratio_of_means", "mean_of_ratios"]

SMALLEST_NORM = 1e-6
"""Norms in a denominator are raised to this, so that a dead modality gives a large number and not infinity."""


def norms(features: Float[Tensor, "clip feature"]) -> Float[Tensor, " clip"]:
    """The L2 norm of each clip's feature, h(x) in the paper's Section 3.1; never below float32, gradient 0 at the origin.

    Raises:
        ArgumentError: for anything but the features of one clip or more.
    """
    check_features({"features": features})
    return torch.linalg.vector_norm(features, dim=1, dtype=torch.promote_types(features.dtype, torch.float32))


def mean_norm(features: Float[Tensor, "clip feature"]) -> Float[Tensor, ""]:
    """The mean feature norm, E[h(X)] in the paper's Section 3.1."""
    return norms(features).mean()


def relative_norm_alignment(
    features: Mapping[str, Float[Tensor, "clip _"]],
    numerator: Numerator = "second",
    form: Form = "ratio_of_means",
) -> Float[Tensor, ""]:
    """How far the modalities' mean norms are from balance: `(numerator / denominator - 1)^2`.

    Planamente et al., arXiv 2106.01689, Eq. 3, 5 and 6. As printed, the equations are no loss (a ratio "-> 1"); the square,
    the ratio of batch means and the gradient through both norms are those of the authors' code, and so is the direction.

    Args:
        features: per modality, before dropout. With more than two, the mean over all pairs in the mapping's order.
        numerator: of each pair, which norm is divided by the other: the "second" (the authors' code and the paper's
            prose: audio over RGB) or the "first" (the paper's equations: visual over audio).
        form: "ratio_of_means" divides batch means, "mean_of_ratios" averages the clips' own ratios (Eq. 3 to the letter).

    Raises:
        ArgumentError: with fewer than two modalities, other things than features, or an unknown numerator or form.
    """
    check_features(features, fewest=2)
    check_choice("numerator", numerator, get_args(Numerator))
    check_choice("form", form, get_args(Form))
    length = {"ratio_of_means": mean_norm, "mean_of_ratios": norms}[form]
    order = {"second": (1, 0), "first": (0, 1)}[numerator]
    lengths = [length(x) for x in features.values()]
    pairs = [(pair[order[0]], pair[order[1]]) for pair in combinations(lengths, 2)]
    ratios = [(above / below.clamp_min(SMALLEST_NORM)).mean() for above, below in pairs]
    return torch.stack([(ratio - 1) ** 2 for ratio in ratios]).mean()


def hard_norm_alignment(features: Mapping[str, Float[Tensor, "clip _"]], radius: float) -> Float[Tensor, ""]:
    """How far each modality's mean norm is from one number: `(E[h(x)] - radius)^2`, summed over the modalities.

    The paper prints no formula of its HNA (arXiv 2106.01689, Table 3); this is the one of the hard variant of adaptive feature
    norm (Xu et al., ICCV 2019, `HAFN`), whose helper the authors' later code has.

    Raises:
        ArgumentError: for other things than features, and a radius that is no length.
    """
    check_features(features)
    check_number("radius", radius)
    return torch.stack([(mean_norm(x) - radius) ** 2 for x in features.values()]).sum()
