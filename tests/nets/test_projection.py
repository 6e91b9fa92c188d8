"""The projection: its sizes, its first weights, and what batch norm makes of them."""

import pytest
import torch

from egonorm.core import RunError
from egonorm.nets.encoders import Encoder, encoder_classes
from egonorm.nets.projection import Projection


@pytest.mark.parametrize(("width", "expected"), [(1.0, 1024), (0.25, 256), (0.001, 8)])
def test_sizes(width, expected):
    net = Encoder("projection", in_channels=33, width=width).build()
    assert type(net) is Projection is encoder_classes()["projection"]
    assert net.num_features == expected == net(torch.randn(5, 33)).shape[1]


def test_it_is_a_layer_a_batch_norm_and_a_relu():
    torch.manual_seed(0)
    net, x = Projection(64, 0.1), torch.randn(50, 64)
    y = x @ net.linear.weight.T
    y = (y - y.mean(0)) / (y.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(net(x), y.clamp(min=0))
    assert {name for name, _ in net.named_parameters()} == {"linear.weight", "bn.weight", "bn.bias"}


def test_first_weights_are_kaimings_for_relu():
    torch.manual_seed(0)
    net = Projection(512)
    assert float(net.linear.weight.detach().std()) == pytest.approx((2 / 512) ** 0.5, rel=0.01)


def test_a_batch_of_one_trains_nothing():
    net = Projection(4)
    with pytest.raises(RunError, match=r"batch of one(.|\n)*--batch"):
        net(torch.randn(1, 4))
    assert net.eval()(torch.randn(1, 4)).shape == (1, 1024)
