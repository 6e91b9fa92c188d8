"""I3D has the published shapes, counts, names and arithmetic."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from egonorm.nets.i3d import I3d, _Unit

# Endpoint, its output (channel, frame, height, width) for 16 x 224 x 224, its parameters (piergiaj/pytorch-i3d).
ENDPOINTS = [
    ("Conv3d_1a_7x7", (64, 8, 112, 112), 65_984),
    ("MaxPool3d_2a_3x3", (64, 8, 56, 56), 0),
    ("Conv3d_2b_1x1", (64, 8, 56, 56), 4_224),
    ("Conv3d_2c_3x3", (192, 8, 56, 56), 332_160),
    ("MaxPool3d_3a_3x3", (192, 8, 28, 28), 0),
    ("Mixed_3b", (256, 8, 28, 28), 386_272),
    ("Mixed_3c", (480, 8, 28, 28), 837_888),
    ("MaxPool3d_4a_3x3", (480, 4, 14, 14), 0),
    ("Mixed_4b", (512, 4, 14, 14), 737_760),
    ("Mixed_4c", (512, 4, 14, 14), 904_464),
    ("Mixed_4d", (512, 4, 14, 14), 1_103_664),
    ("Mixed_4e", (528, 4, 14, 14), 1_356_672),
    ("Mixed_4f", (832, 4, 14, 14), 1_799_168),
    ("MaxPool3d_5a_2x2", (832, 2, 7, 7), 0),
    ("Mixed_5b", (832, 2, 7, 7), 1_974_272),
    ("Mixed_5c", (1024, 2, 7, 7), 2_784_736),
]
POOLS = {
    "MaxPool3d_2a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_3a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def randomised(encoder: I3d) -> I3d:
    """In eval mode, with batch norms that do something."""
    draw = torch.Generator().manual_seed(1)
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.running_mean.normal_(0, 0.1, generator=draw)
            layer.running_var.uniform_(0.5, 1.5, generator=draw)
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=draw)
            nn.init.normal_(layer.bias, 0, 0.1, generator=draw)
    return encoder.eval()


def padded_as_same(x: torch.Tensor, kernel: tuple, stride: tuple) -> torch.Tensor:
    """TensorFlow's rule, written out: with zeros, as many as it takes for ceil(size / stride) windows."""
    padding = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        total = max(k - s, 0) if size % s == 0 else max(k - size % s, 0)
        padding = [total // 2, total - total // 2, *padding]
    return F.pad(x, padding)


def reference(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The whole published network as plain functions of its state dict."""

    def unit(name, x, stride=1):
        kernel = state[f"{name}.conv3d.weight"]
        x = F.conv3d(padded_as_same(x, kernel.shape[2:], (stride,) * 3), kernel, stride=stride)
        mean, variance = state[f"{name}.bn.running_mean"], state[f"{name}.bn.running_var"]
        return F.batch_norm(x, mean, variance, state[f"{name}.bn.weight"], state[f"{name}.bn.bias"], eps=1e-3).relu()

    def pool(x, kernel, stride):
        return F.max_pool3d(padded_as_same(x, kernel, stride), kernel, stride)

    def block(name, x):
        single, double = unit(f"{name}.b1b", unit(f"{name}.b1a", x)), unit(f"{name}.b2b", unit(f"{name}.b2a", x))
        pooled = unit(f"{name}.b3b", pool(x, (3, 3, 3), (1, 1, 1)))
        return torch.cat([unit(f"{name}.b0", x), single, double, pooled], dim=1)

    for name, _, _ in ENDPOINTS:
        if name in POOLS:
            x = pool(x, *POOLS[name])
        else:
            x = block(name, x) if "Mixed" in name else unit(name, x, 2 if name == "Conv3d_1a_7x7" else 1)
    return x.flatten(2).mean(dim=2)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def published() -> I3d:
    return randomised(I3d())


def test_endpoints_have_the_published_shapes_and_parameters():
    with torch.device("meta"):
        encoder, x = I3d(), torch.empty(1, 3, 16, 224, 224)
    found = []
    for name, stage in encoder.named_children():
        x = stage(x)
        found.append((name, tuple(x.shape[1:]), count(stage)))
    assert found == [*ENDPOINTS, ("maps", ENDPOINTS[-1][1], 0)]


def test_counts_are_the_published_ones(published):
    assert count(published) == 12_287_264 == 12_697_264 - 410_000  # less the head of 400 classes
    with torch.device("meta"):
        assert count(I3d(in_channels=2)) == 12_675_312 - 410_000
    assert [type(layer) for layer in published.modules()].count(nn.BatchNorm3d) == 57
    assert len(published.state_dict()) == 344 - 2


def test_keys_are_the_published_ones(published):
    statistics = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"]
    names, branches = [name for name, _, _ in ENDPOINTS], ["b0", "b1a", "b1b", "b2a", "b2b", "b3b"]
    units = [n for n in names if "Conv" in n] + [f"{n}.{branch}" for n in names if "Mixed" in n for branch in branches]
    assert set(published.state_dict()) == {f"{name}.{key}" for name in units for key in ["conv3d.weight", *statistics]}


@pytest.mark.parametrize("size", [(8, 64, 64), (8, 56, 56), (4, 32, 32), (5, 37, 50), (1, 9, 11)])
@pytest.mark.parametrize("in_channels", [3, 2])
def test_features_equal_the_reference(size, in_channels):
    encoder = randomised(I3d(in_channels, width=0.25))
    x = torch.rand(2, in_channels, *size) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(encoder(x), reference(encoder.state_dict(), x), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_features_of_the_paper_input_equal_the_reference(published):
    x = torch.rand(1, 3, 16, 224, 224) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(published(x), reference(published.state_dict(), x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("axis", [2, 3, 4])
@pytest.mark.parametrize(("size", "front"), [(8, 2), (7, 3)])
def test_first_convolution_pads_two_in_front_and_three_behind_even_sizes(axis, size, front):
    unit = I3d(in_channels=1, width=0.01).Conv3d_1a_7x7.eval()
    tap = [3, 3, 3]
    tap[axis - 2] = 0
    with torch.no_grad():
        unit.conv3d.weight.zero_()[(slice(None), 0, *tap)] = 1.0
        shape = [1] * 5
        shape[axis] = size
        line = unit(torch.arange(1.0, size + 1).view(shape))[0, 0].flatten() * (1 + 1e-3) ** 0.5
    starts = [2 * step - front for step in range((size + 1) // 2)]
    assert line.tolist() == pytest.approx([float(start + 1) if start >= 0 else 0.0 for start in starts])


@pytest.mark.parametrize("name", [*POOLS, "Mixed_3b.b3a"])
def test_pools_equal_zero_padding_for_every_size(name):
    pool = I3d(width=0.01).get_submodule(name)
    kernel, stride = POOLS.get(name, ((3, 3, 3), (1, 1, 1)))
    for size in product(range(1, 7), repeat=3):
        x = torch.rand(1, 2, *size).sub(0.5).relu()
        assert torch.equal(pool(x), F.max_pool3d(padded_as_same(x, kernel, stride), kernel, stride)), size


def test_pools_keep_bfloat16_and_its_values():
    pool, x = I3d(width=0.01).Mixed_3b.b3a, torch.randn(2, 8, 4, 7, 7).relu().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = pool(x)
        assert found.dtype == torch.bfloat16 and torch.is_autocast_enabled("cpu")
    assert torch.equal(found.float(), pool(x.float()))


@pytest.mark.parametrize(("frames", "size"), [(2, 7), (4, 14)])
def test_one_clip_gets_what_it_gets_among_several_and_keeps_the_order_of_memory(frames, size):
    unit = _Unit(16, 24, 3, 1, 0.1).to(memory_format=torch.channels_last_3d).eval()
    x = torch.randn(2, 16, frames, size, size).contiguous(memory_format=torch.channels_last_3d)
    alone, among = unit(x[:1]), unit(x)[:1]
    torch.testing.assert_close(alone, among, atol=1e-5, rtol=1e-5)
    assert alone.is_contiguous(memory_format=torch.channels_last_3d)
    wanted, found = (torch.autograd.grad(y.square().sum(), list(unit.parameters())) for y in (among, alone))
    for a, b in zip(wanted, found, strict=True):
        torch.testing.assert_close(b, a, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(("width", "num_features"), [(1.0, 1024), (0.5, 512), (0.25, 256), (0.01, 16)])
def test_width_scales_every_layer_to_a_multiple_of_four(width, num_features):
    with torch.device("meta"):
        encoder = I3d(width=width)
        assert encoder(torch.empty(2, 3, 4, 32, 32)).shape == (2, num_features)
    assert encoder.num_features == num_features
    assert all(layer.num_features % 4 == 0 for layer in encoder.modules() if isinstance(layer, nn.BatchNorm3d))


def test_batch_norm_is_the_published_one_with_a_choice_of_momentum():
    with torch.device("meta"):
        encoders = [I3d(), I3d(momentum=0.01)]
    for encoder, momentum in zip(encoders, [0.1, 0.01], strict=True):
        layers = [layer for layer in encoder.modules() if isinstance(layer, nn.BatchNorm3d)]
        assert {(layer.eps, layer.momentum) for layer in layers} == {(1e-3, momentum)}


def test_channels_last_changes_nothing():
    encoder, x = randomised(I3d(width=0.25)), torch.rand(2, 3, 8, 64, 64)
    with torch.no_grad():
        expected = encoder(x)
        encoder, x = (thing.to(memory_format=torch.channels_last_3d) for thing in (encoder, x))
        torch.testing.assert_close(encoder(x), expected, atol=1e-4, rtol=1e-4)


def test_every_parameter_learns():
    encoder = I3d(width=0.25)
    encoder(torch.randn(2, 3, 8, 64, 64)).square().sum().backward()
    norms = torch.stack([parameter.grad.norm() for parameter in encoder.parameters()])
    assert norms.isfinite().all() and (norms > 0).all()


def test_convolutions_start_from_kaiming_normal():
    kernel = I3d().Mixed_5c.b1b.conv3d.weight
    assert kernel.std().item() == pytest.approx((2 / (192 * 27)) ** 0.5, rel=0.01)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_gradients_in_bfloat16_are_those_of_float32(frames):
    """Two frames with one padded on each side gave numbers from unwritten memory on some processors."""
    torch.manual_seed(0)
    unit = _Unit(24, 52, 3, 1, 0.1).to(memory_format=torch.channels_last_3d)
    x = torch.randn(4, 24, frames, 7, 7).contiguous(memory_format=torch.channels_last_3d)

    def gradient(precise: bool) -> torch.Tensor:
        spoilt = [torch.full((777 * k,), float("nan")) for k in range(1, 30)]
        del spoilt  # what is not written now reads as NaN
        unit.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=not precise):
            unit(x if precise else x.bfloat16()).float().square().sum().backward()
        return unit.conv3d.weight.grad.clone()

    exact = gradient(precise=True)
    for _ in range(8):
        assert (gradient(precise=False) - exact).abs().max() < 0.05 * exact.abs().max()
