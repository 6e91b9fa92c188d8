"""How far apart two samples of features are as distributions: the maximum mean discrepancy."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from egonorm.core.errors import ArgumentError
from egonorm.losses.arguments import check_features, check_number

BANDWIDTHS = tuple(9.7 * 2 ** (-8 + k * 2**0.5) for k in range(12))
"""MM-SADA's twelve kernels: `9.7 * 2^e` for e from -8 to below 8 in steps of the square root of 2 (`model.py`)."""


def squared_mmd(
    first: Float[Tensor, "first feature"],
    second: Float[Tensor, "second feature"],
    bandwidths: Sequence[float] = BANDWIDTHS,
) -> Float[Tensor, ""]:
    """The biased squared maximum mean discrepancy under a sum of Gaussian kernels `exp(-|x - y|^2 / bandwidth)`.

    Gretton et al., JMLR 2012, Eq. 5, as MM-SADA computes it (Munro and Damen, CVPR 2020, `mmd.py`). Never negative, and 0
    for the same sample twice.

    Raises:
        ArgumentError: for other things than features of the same size, and bandwidths that are none.
    """
    check_features({"first": first, "second": second}, equal_sizes=True, same_clips=False)
    if not isinstance(bandwidths, Sequence) or not bandwidths:
        raise ArgumentError(
            "bandwidths cannot be used.",
            got=repr(bandwidths),
            expected="a sequence of numbers",
            remedy="Give one or more.",
        )
    for bandwidth in bandwidths:
        check_number("a bandwidth", bandwidth, above=True)
    within = _kernel(first, first, bandwidths).mean() + _kernel(second, second, bandwidths).mean()
    return within - 2 * _kernel(first, second, bandwidths).mean()


def _kernel(x: Tensor, y: Tensor, bandwidths: Sequence[float]) -> Float[Tensor, "x y"]:
    squares = x.square().sum(dim=1)[:, None] + y.square().sum(dim=1) - 2 * x @ y.T
    squares = squares.clamp_min(0)  # rounding may make a distance to oneself negative
    return torch.stack([torch.exp(-squares / bandwidth) for bandwidth in bandwidths]).sum(dim=0)
