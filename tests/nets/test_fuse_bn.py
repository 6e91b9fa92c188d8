"""A folded network gives the features of the network it was made from, and leaves that one alone."""

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from egonorm.nets import Aisfx, BnInception, I3d, Lite0, Net, Projection
from egonorm.nets.layers import fuse_bn

NETWORKS = [(I3d, (3, 8, 64, 64)), (BnInception, (1, 64, 96)), (Lite0, (3, 4, 64, 64)), (Aisfx, (1, 64, 96))]


def randomised(encoder: nn.Module) -> nn.Module:
    """Batch norms that do something, with running statistics near what they see."""
    draw = torch.Generator().manual_seed(1)
    for layer in encoder.modules():
        if isinstance(layer, _BatchNorm):
            layer.running_mean.normal_(0, 0.1, generator=draw)
            layer.running_var.uniform_(0.5, 1.5, generator=draw)
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=draw)
            nn.init.normal_(layer.bias, 0, 0.1, generator=draw)
    return encoder.to(memory_format=encoder.memory_format).eval()


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "shape"), NETWORKS)
@pytest.mark.parametrize("width", [0.25, 1.0])
def test_features_stay_and_no_batch_norm_is_left(network, shape, width):
    encoder, x = randomised(network(shape[0], width)), torch.randn(2, *shape)
    folded = fuse_bn(encoder)
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), encoder(x), atol=1e-4, rtol=1e-4)
    assert not any(isinstance(layer, _BatchNorm) for layer in folded.modules())


@pytest.mark.slow
@pytest.mark.parametrize(("network", "shape"), [(I3d, (3, 16, 224, 224)), (BnInception, (1, 256, 256))])
def test_features_of_the_paper_input_stay(network, shape):
    encoder, x = randomised(network(shape[0])), torch.rand(1, *shape) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(fuse_bn(encoder)(x), encoder(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("network", "shape"), NETWORKS[:2])
def test_in_bfloat16_features_are_as_near_as_those_of_the_network_itself(network, shape):
    encoder, x = randomised(network(shape[0], 0.25)), torch.randn(2, *shape)
    with torch.inference_mode():
        exact = encoder(x)
        with torch.autocast("cpu", torch.bfloat16):
            errors = [(net(x) - exact).norm() / exact.norm() for net in (encoder, fuse_bn(encoder))]
    assert errors[1] < 0.03 and errors[1] < 2 * errors[0]


def test_what_others_ask_an_encoder_for_stays():
    encoder = randomised(I3d(width=0.25))
    folded = fuse_bn(encoder)
    seen = []
    folded.maps.register_forward_hook(lambda layer, given, found: seen.append(found.shape))
    with torch.inference_mode():
        folded(torch.randn(1, 3, 8, 64, 64))
    assert seen == [(1, 256, 1, 2, 2)]
    assert (folded.num_features, folded.memory_format) == (encoder.num_features, encoder.memory_format)
    kernels = [layer.weight for layer in folded.modules() if isinstance(layer, nn.Conv3d)]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last_3d) for kernel in kernels)
    assert not any(parameter.requires_grad for parameter in folded.parameters())


def test_the_network_itself_is_not_changed():
    net = Net({"audio": BnInception(width=0.25), "rgb": I3d(width=0.25)}, num_classes=3).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    folded = fuse_bn(net)
    assert not folded.training and all(module.training for module in net.modules())
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    shared = {p.data_ptr() for p in net.parameters()} & {p.data_ptr() for p in folded.parameters()}
    assert not shared


def test_only_norms_that_are_said_to_follow_are_folded():
    class Other(nn.Module):
        """Its batch norm stands behind the convolution in the list, and before it in the arithmetic."""

        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

        def forward(self, x):
            return self.conv(self.norm(x).relu())

    other, x = Other().eval(), torch.randn(2, 2, 4, 4)
    other.norm.running_mean.normal_()
    assert isinstance(fuse_bn(other).norm, nn.BatchNorm2d)
    assert torch.equal(fuse_bn(other)(x), other(x))


def test_encoders_without_convolutions_stay():
    encoder, x = Projection(8, 0.01).eval(), torch.randn(3, 8)
    assert torch.equal(fuse_bn(encoder)(x), encoder(x))
