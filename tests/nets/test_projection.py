"""The projection: its sizes, its first weights, and that it keeps how long features are."""

import pytest
import torch

from egonorm.nets.encoders import Encoder, encoder_classes
from egonorm.nets.projection import Projection


@pytest.mark.parametrize(("width", "expected"), [(1.0, 1024), (0.25, 256), (0.001, 8)])
def test_sizes(width, expected):
    net = Encoder("projection", in_channels=33, width=width).build()
    assert type(net) is Projection is encoder_classes()["projection"]
    assert net.num_features == expected == net(torch.randn(5, 33)).shape[1]


def test_it_is_a_layer_and_a_relu():
    torch.manual_seed(0)
    net, x = Projection(64, 0.1), torch.randn(50, 64)
    torch.testing.assert_close(net(x), (x @ net.linear.weight.T).clamp(min=0))
    assert {name for name, _ in net.named_parameters()} == {"linear.weight", "linear.bias"}


def test_first_weights_are_kaimings_for_relu():
    torch.manual_seed(0)
    net = Projection(512)
    assert float(net.linear.weight.detach().std()) == pytest.approx((2 / 512) ** 0.5, rel=0.01)


def test_long_features_stay_long():
    torch.manual_seed(0)
    x = torch.randn(40, 256)
    short, long = (
        net(scale * x).detach().norm(dim=1).mean() for scale, net in ((1, Projection(256)), (3, Projection(256)))
    )
    assert float(short) == pytest.approx(32, rel=0.1) and float(long / short) == pytest.approx(3, rel=0.1)
