"""Pairs of modalities that belong together, and pairs that were mixed up: what a correspondence head must tell apart."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from egonorm.core.errors import ArgumentError
from egonorm.losses.arguments import check_features

_Features = Mapping[str, Float[Tensor, "clip _"]]


def mix_up_half(features: _Features) -> tuple[dict[str, Float[Tensor, "clip _"]], Bool[Tensor, " clip"]]:
    """The same clips, the second half of them with modalities of other clips; and which clips were left as they are.

    As MM-SADA's batch generator (Munro and Damen, CVPR 2020): the first half keeps its pairs, in the second half each clip gets
    the second modality of the clip after it, the last that of the first. With more modalities the third comes from two clips
    on, and so forth. Another clip may have the same action.

    Raises:
        ArgumentError: with fewer than two modalities, or fewer than three clips, when there is no other clip to take from.
    """
    check_features(features, fewest=2)
    count = len(next(iter(features.values())))
    if count < 3:
        raise ArgumentError(
            "Pairs of so few clips cannot be mixed up.",
            got=f"clips: {count}",
            expected="three or more",
            remedy="Give a larger batch.",
        )
    kept = count // 2
    mixed = {m: torch.cat([x[:kept], x[kept:].roll(-k, dims=0)]) for k, (m, x) in enumerate(features.items())}
    return mixed, torch.arange(count, device=next(iter(features.values())).device) < kept
