"""aiSFX's network has the published names and arithmetic."""

import hashlib

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from egonorm.nets import Net, load_weights
from egonorm.nets.aisfx import Aisfx

CLASSES = (78, 79, 69, 81, 10, 27, 3, 23, 8)
"""Of the nine data sets that the published network was trained on, each with three linear layers of its own."""


def classifiers() -> dict[str, torch.Tensor]:
    state = {}
    for number, classes in enumerate(CLASSES):
        for layer, sizes in {0: (256, 512), 2: (128, 256), 4: (classes, 128)}.items():
            name = f"fc.{number}.{layer}"
            state |= {f"{name}.weight": torch.zeros(sizes), f"{name}.bias": torch.zeros(sizes[0])}
    return state


def randomised(encoder: nn.Module) -> nn.Module:
    """In eval mode, with batch norms that do something."""
    draw = torch.Generator().manual_seed(1)
    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1, generator=draw)
            layer.running_var.uniform_(0.5, 1.5, generator=draw)
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=draw)
            nn.init.normal_(layer.bias, 0, 0.1, generator=draw)
    return encoder.eval()


def reference(state: dict[str, torch.Tensor], sound: torch.Tensor) -> torch.Tensor:
    """The published embedding of (clip, time, band), as plain functions of its state dict."""
    x = sound.unsqueeze(1)
    for block, pool in ((1, 2), (2, 2), (3, 2), (4, 1)):
        for layer in (1, 2):
            name = f"embedding_net.conv_block{block}."
            x = F.conv2d(x, state[f"{name}conv{layer}.weight"], padding=1)
            parts = [state[f"{name}bn{layer}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
            x = F.batch_norm(x, *parts).relu()
        x = F.max_pool2d(x, pool)
    return x.mean(dim=3).max(dim=2).values


def digest(state: dict[str, torch.Tensor]) -> tuple[int, str]:
    """How many keys, and sixteen digits of the SHA-256 of their sorted names and shapes."""
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in state.items())
    return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def encoder() -> Aisfx:
    return randomised(Aisfx())


def test_keys_and_shapes_are_those_of_the_published_file(encoder):
    assert digest(encoder.state_dict()) == (48, "7cc0734f94d210d8")
    assert digest(encoder.state_dict() | classifiers()) == (102, "af09afc9c5821abd")
    assert sum(x.numel() for x in encoder.parameters()) == 4_686_144


def test_the_published_layout_loads_without_its_classifiers(encoder, tmp_path):
    state = encoder.state_dict()
    torch.save((state | classifiers(), {"prosfx": (0, 78)}), tmp_path / "it.pth")
    fresh = Aisfx()
    load_weights(fresh, tmp_path / "it.pth")
    assert all(torch.equal(value, state[name]) for name, value in fresh.state_dict().items())


@pytest.mark.parametrize("shape", [(96, 100), (32, 9)])
def test_the_feature_equals_the_reference(encoder, shape):
    sound = torch.rand(2, 1, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = reference(encoder.state_dict(), sound[:, 0].transpose(1, 2))
        torch.testing.assert_close(encoder(sound), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("width", "num_features"), [(0.5, 256), (0.0625, 32), (0.01, 4)])
def test_width_scales_every_layer_to_a_multiple_of_four(width, num_features):
    encoder = Aisfx(width=width).eval()
    assert encoder.num_features == num_features
    assert encoder(torch.zeros(2, 1, 96, 100)).shape == (2, num_features)


def test_it_learns_as_a_stream_of_the_net():
    net = Net({"audio": Aisfx(width=0.125)}, num_classes=2)
    sound = torch.rand(3, 1, 96, 100, generator=torch.Generator().manual_seed(0))
    net.features({"audio": sound})["audio"].square().sum().backward()
    norms = {name: parameter.grad.norm() for name, parameter in net.encoders.named_parameters()}
    assert all(norm.isfinite() and norm > 0 for norm in norms.values())
