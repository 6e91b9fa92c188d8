"""Floor 2: the networks."""

from egonorm.nets.bn_inception import BnInception
from egonorm.nets.encoders import Encoder
from egonorm.nets.i3d import I3d
from egonorm.nets.net import Net
from egonorm.nets.weights import load_weights

__all__ = ["BnInception", "Encoder", "I3d", "Net", "load_weights"]
