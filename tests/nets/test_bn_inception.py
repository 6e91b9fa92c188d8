"""BN-Inception has the published counts, names and arithmetic."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from egonorm.core.errors import DataError
from egonorm.nets.bn_inception import BnInception

BLOCKS = ["3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
CHANNELS = [256, 320, 576, 576, 576, 608, 608, 1056, 1024, 1024]
"""Channels that leave each block: the published plan says how many enter the next."""


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def randomised(encoder: BnInception) -> BnInception:
    """In eval mode, with biases and batch norms that do something."""
    draw = torch.Generator().manual_seed(1)
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.bias, 0, 0.1, generator=draw)
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1, generator=draw)
            layer.running_var.uniform_(0.5, 1.5, generator=draw)
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=draw)
            nn.init.normal_(layer.bias, 0, 0.1, generator=draw)
    return encoder.eval()


def reference(state: dict[str, torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
    """The whole published network as plain functions of its state dict: the output of every block."""

    def unit(x, name, stride=1):
        kernel, norm = state[f"{name}.weight"], f"{name}_bn."
        x = F.conv2d(x, kernel, state[f"{name}.bias"], stride, padding={1: 0, 3: 1, 7: 3}[kernel.shape[2]])
        mean, variance = state[norm + "running_mean"], state[norm + "running_var"]
        return F.batch_norm(x, mean, variance, state[norm + "weight"], state[norm + "bias"], eps=1e-5).relu()

    def halved(x):
        return F.max_pool2d(x, kernel_size=3, stride=2, ceil_mode=True)

    def block(x, name, letter, stride):
        single = unit(unit(x, name + "3x3_reduce"), name + "3x3", stride)
        double = unit(unit(x, name + "double_3x3_reduce"), name + "double_3x3_1")
        double = unit(double, name + "double_3x3_2", stride)
        if stride == 2:
            return torch.cat([single, double, halved(x)], dim=1)
        average = nn.AvgPool2d(3, stride=1, padding=1, ceil_mode=True, count_include_pad=True)
        pool = nn.MaxPool2d(3, stride=1, padding=1, ceil_mode=True) if letter == "5b" else average
        return torch.cat([unit(x, name + "1x1"), single, double, unit(pool(x), name + "pool_proj")], dim=1)

    x = halved(unit(x, "conv1_7x7_s2", stride=2))
    x = halved(unit(unit(x, "conv2_3x3_reduce"), "conv2_3x3"))
    outputs = []
    for letter in BLOCKS:
        x = block(x, f"inception_{letter}_", letter, 2 if letter in ("3c", "4e") else 1)
        outputs.append(x)
    return outputs


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def published() -> BnInception:
    return randomised(BnInception())


def test_counts_are_the_published_ones(published):
    assert count(published) == 10_263_968
    with torch.device("meta"):
        assert count(BnInception(in_channels=3)) == 10_270_240 == 11_295_240 - 1_025_000  # less the head
    kinds = [type(layer) for layer in published.modules()]
    assert kinds.count(nn.BatchNorm2d) == 69 and kinds.count(nn.Conv2d) == 69
    keys = [key for key in published.state_dict() if not key.endswith("num_batches_tracked")]
    assert len(keys) == 416 - 2


def test_keys_are_the_published_ones(published):
    convs = ["conv1_7x7_s2", "conv2_3x3_reduce", "conv2_3x3"]
    for block in BLOCKS:
        ends = [] if block in ("3c", "4e") else ["1x1", "pool_proj"]
        inner = ["3x3_reduce", "3x3", "double_3x3_reduce", "double_3x3_1", "double_3x3_2"]
        convs += [f"inception_{block}_{unit}" for unit in inner + ends]
    statistics = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    keys = {f"{conv}.{key}" for conv in convs for key in ["weight", "bias"]}
    assert set(published.state_dict()) == keys | {f"{conv}_bn.{key}" for conv in convs for key in statistics}


@pytest.mark.parametrize(("size", "last"), [((256, 256), (8, 8)), ((224, 224), (7, 7)), ((64, 96), (2, 3))])
def test_features_and_blocks_equal_the_reference(published, size, last):
    x = torch.randn(1, 1, *size)
    with torch.no_grad():
        outputs = reference(published.state_dict(), x)
        torch.testing.assert_close(published(x), outputs[-1].mean(dim=(2, 3)), atol=1e-4, rtol=1e-4)
    assert [output.shape[1] for output in outputs] == CHANNELS
    assert outputs[-1].shape[2:] == last


@pytest.mark.parametrize("size", [(128, 128), (64, 64), (32, 64), (31, 38)])
def test_features_of_a_narrow_network_equal_the_reference(size):
    encoder, x = randomised(BnInception(in_channels=3, width=0.25)), torch.randn(2, 3, *size)
    with torch.no_grad():
        expected = reference(encoder.state_dict(), x)[-1].mean(dim=(2, 3))
        torch.testing.assert_close(encoder(x), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_sizes_are_refused_exactly_if_the_branches_could_not_be_joined():
    encoder = BnInception(width=0.01).to("meta").eval()
    for size in range(24, 72):
        x = torch.empty(1, 1, size, 64, device="meta")
        try:
            reference(encoder.state_dict(), x)
        except RuntimeError:
            with pytest.raises(DataError, match=rf"(?s)got: +{size} x 64.*expected: +multiples of 32.*remedy"):
                encoder(x)
        else:
            encoder(x)


@pytest.mark.parametrize(("width", "num_features"), [(1.0, 1024), (0.5, 512), (0.25, 256)])
def test_width_scales_every_layer_to_a_multiple_of_four(width, num_features):
    with torch.device("meta"):
        encoder = BnInception(width=width)
        assert encoder(torch.empty(2, 1, 64, 64)).shape == (2, num_features)
    assert encoder.num_features == num_features
    assert all(layer.num_features % 4 == 0 for layer in encoder.modules() if isinstance(layer, nn.BatchNorm2d))


def test_batch_norm_is_the_published_one(published):
    layers = [layer for layer in published.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {(layer.eps, layer.momentum) for layer in layers} == {(1e-5, 0.1)}


def test_channels_last_changes_nothing():
    encoder, x = randomised(BnInception(width=0.25)), torch.randn(2, 1, 128, 128)
    with torch.no_grad():
        expected = encoder(x)
        encoder, x = encoder.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        torch.testing.assert_close(encoder(x), expected, atol=1e-4, rtol=1e-4)


def test_every_parameter_learns_but_the_biases_that_batch_norm_removes():
    encoder = BnInception(width=0.25)
    encoder(torch.randn(4, 1, 128, 128)).square().sum().backward()
    removed = {f"{name}.bias" for name, layer in encoder.named_modules() if isinstance(layer, nn.Conv2d)}
    norms = {name: parameter.grad.norm() for name, parameter in encoder.named_parameters()}
    assert all(norm.isfinite() for norm in norms.values())
    assert all(norm > 0 for name, norm in norms.items() if name not in removed)


def test_convolutions_start_from_kaiming_normal_without_bias():
    conv = BnInception().inception_5b_3x3
    assert conv.weight.std().item() == pytest.approx((2 / (192 * 9)) ** 0.5, rel=0.01)
    assert not conv.bias.any()
