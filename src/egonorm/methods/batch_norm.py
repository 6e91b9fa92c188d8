"""BatchNorm: each modality's feature passes a batch norm of its own before it is classified."""

from dataclasses import dataclass

from egonorm.methods.base import Method
from egonorm.nets.layers import FeatureNorm
from egonorm.nets.net import Net


@dataclass(frozen=True)
class BatchNorm(Method):
    """BatchNorm: a batch norm layer on every modality's feature, before its classifier (arXiv 2106.01689, Table 1).

    The paper says no more, and there is no public code of it; here torch's defaults, with scale and offset, statistics per
    domain in a step as everywhere. Norms are measured behind the layer.
    """

    def prepare(self, net: Net) -> None:
        """Put the layers between encoders and fusion."""
        for modality, size in net.num_features.items():
            net.necks[modality] = FeatureNorm(size)
