"""The network: an encoder per modality, a neck on each feature, and a fusion that decides."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from egonorm.data.inputs import as_float
from egonorm.nets.fusion import Features, Fusion, Logits, make_fusion


class Net(nn.Module):
    """Streams that share nothing but the decision (Planamente et al., Fig. 2).

    Attributes:
        encoders: per modality, from its input to a feature; `num_features` is its size.
        necks: per modality, what the feature passes next; the identity unless a method puts something there.
        fusion: from features to logits.
        extra: what a method learns besides (discriminators, correspondence heads); empty unless it adds to it.
    """

    def __init__(self, encoders: Mapping[str, nn.Module], num_classes: int, fusion: Fusion = "sum", dropout: float = 0.5):
        super().__init__()
        self.num_classes = num_classes
        self.encoders = nn.ModuleDict(dict(encoders))
        self.necks = nn.ModuleDict({name: nn.Identity() for name in encoders})
        self.fusion = make_fusion(fusion, self.num_features, num_classes, dropout)
        self.extra = nn.ModuleDict()

    @property
    def num_features(self) -> dict[str, int]:
        """Per modality, the size of its feature."""
        return {name: encoder.num_features for name, encoder in self.encoders.items()}

    def features(self, inputs: Mapping[str, Tensor]) -> dict[str, Float[Tensor, "clip _"]]:
        """Per modality, the feature before dropout, in float32 whatever the precision."""
        encoded = {name: encoder(as_float(inputs[name])) for name, encoder in self.encoders.items()}
        return {name: self.necks[name](x).float() for name, x in encoded.items()}

    def classify(self, features: Features) -> Logits:
        """The fused logits."""
        return self.fusion(features)

    def single(self, features: Features) -> dict[str, Logits]:
        """Per modality, the logits that it gives alone."""
        return self.fusion.single(features)
