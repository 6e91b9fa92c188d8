"""Floor 2: the networks."""

from egonorm.nets.aisfx import Aisfx
from egonorm.nets.bn_inception import BnInception
from egonorm.nets.efficientnet_lite0 import Lite0
from egonorm.nets.encoders import Encoder
from egonorm.nets.i3d import I3d
from egonorm.nets.net import Net
from egonorm.nets.projection import Projection
from egonorm.nets.weights.load import load_weights

__all__ = ["Aisfx", "BnInception", "Encoder", "I3d", "Lite0", "Net", "Projection", "load_weights"]
