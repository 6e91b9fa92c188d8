"""EfficientNet-Lite0 has the published counts, names and arithmetic."""

import hashlib

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from egonorm.nets import Net, load_weights
from egonorm.nets.efficientnet_lite0 import Lite0

STAGES = "r1k3s1e1o16 r2k3s2e6o24 r2k5s2e6o40 r3k3s2e6o80 r3k5s1e6o112 r4k5s2e6o192 r1k3s1e6o320"
"""The plan of EfficientNet: repeats, kernel, stride, expansion, output channels."""


def randomised(encoder: nn.Module) -> nn.Module:
    """In eval mode, with batch norms that do something."""
    draw = torch.Generator().manual_seed(1)
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0, (1 / layer.weight[0].numel()) ** 0.5, generator=draw)
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1, generator=draw)
            layer.running_var.uniform_(0.5, 1.5, generator=draw)
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=draw)
            nn.init.normal_(layer.bias, 0, 0.1, generator=draw)
    return encoder.eval()


def same(x: torch.Tensor, kernel: torch.Tensor, stride: int, groups: int = 1) -> torch.Tensor:
    """A convolution whose output k is centred as TensorFlow's SAME: ceil(size / stride) outputs, the odd zero behind."""
    sides = []
    for size, length in zip(x.shape[2:], kernel.shape[2:], strict=True):
        total = max((-(-size // stride) - 1) * stride + length - size, 0)
        sides = [total // 2, total - total // 2, *sides]
    return F.conv2d(F.pad(x, sides), kernel, stride=stride, groups=groups)


def reference(state: dict[str, torch.Tensor], pixels: torch.Tensor) -> torch.Tensor:
    """The published network's pooled feature of pictures with values from 0 to 255, as plain functions of its state dict."""

    def norm(x, name):
        parts = [state[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *parts, eps=1e-3)

    def block(x, name, kernel, stride, expansion):
        y = x
        if expansion > 1:
            y = norm(F.conv2d(y, state[f"{name}._expand_conv.weight"]), f"{name}._bn0").clamp(0, 6)
        weight = state[f"{name}._depthwise_conv.weight"]
        assert weight.shape[2] == kernel
        y = norm(same(y, weight, stride, groups=len(weight)), f"{name}._bn1").clamp(0, 6)
        y = norm(F.conv2d(y, state[f"{name}._project_conv.weight"]), f"{name}._bn2")
        return x + y if y.shape == x.shape else y

    x = norm(same((pixels - 127) / 128, state["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    number = 0
    for stage in STAGES.split():
        repeats, kernel, stride, expansion = (int(stage[k]) for k in (1, 3, 5, 7))
        for repeat in range(repeats):
            x = block(x, f"_blocks.{number}", kernel, stride if repeat == 0 else 1, expansion)
            number += 1
    x = norm(F.conv2d(x, state["_conv_head.weight"]), "_bn1").clamp(0, 6)
    return x.mean(dim=(2, 3))


def digest(state: dict[str, torch.Tensor]) -> tuple[int, str]:
    """How many keys, and sixteen digits of the SHA-256 of their sorted names and shapes."""
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in state.items())
    return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def encoder() -> Lite0:
    return randomised(Lite0())


def test_keys_and_shapes_are_those_of_the_published_file(encoder):
    classifier = {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
    assert digest(encoder.state_dict() | classifier) == (296, "56e888a56e06aa25")
    assert sum(x.numel() for x in [*encoder.parameters(), *classifier.values()]) == 4_652_008


def test_the_published_layout_loads_without_its_classifier(encoder, tmp_path):
    state = encoder.state_dict()
    torch.save(state | {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}, tmp_path / "it.pth")
    fresh = Lite0()
    load_weights(fresh, tmp_path / "it.pth")
    assert all(torch.equal(value, state[name]) for name, value in fresh.state_dict().items())


@pytest.mark.parametrize("size", [(224, 224), (97, 64), (33, 50)])
def test_the_feature_of_a_frame_equals_the_reference(encoder, size):
    pictures = torch.randint(0, 256, (2, 1, *size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = reference(encoder.state_dict(), pictures[:, 0].movedim(-1, 1).float())
        torch.testing.assert_close(encoder(pictures), expected, atol=2e-5, rtol=1e-4)


def test_a_clip_is_the_mean_of_its_frames(encoder):
    clips = torch.rand(2, 3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        frames = torch.stack([encoder(clips[:, :, k : k + 1]) for k in range(3)])
        torch.testing.assert_close(encoder(clips), frames.mean(dim=0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("width", "num_features"), [(0.5, 640), (0.0625, 80)])
def test_width_scales_every_layer_to_a_multiple_of_four(width, num_features):
    encoder = Lite0(width=width).eval()
    assert encoder.num_features == num_features
    assert encoder(torch.zeros(1, 3, 2, 64, 64)).shape == (1, num_features)
    assert all(layer.num_features % 4 == 0 for layer in encoder.modules() if isinstance(layer, nn.BatchNorm2d))


def test_it_learns_as_a_stream_of_the_net():
    net = Net({"rgb": Lite0(width=0.125)}, num_classes=2)
    pictures = torch.randint(0, 256, (3, 2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    net.features({"rgb": pictures})["rgb"].square().sum().backward()
    norms = {name: parameter.grad.norm() for name, parameter in net.encoders.named_parameters()}
    assert all(norm.isfinite() and norm > 0 for norm in norms.values())
