"""Every encoder of pictures takes bytes and makes of them what it was trained on, to the bit."""

from copy import deepcopy

import pytest
import torch

from egonorm.nets import I3d, Lite0, Net
from egonorm.nets.layers import to_signed_range, to_unit_range


def some_pictures(channels: int = 3) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 4, 33, 34, channels), dtype=torch.uint8, generator=draw)


def test_bytes_become_minus_one_to_one_channels_first():
    assert to_signed_range(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).tolist() == [[[[-1.0]], [[1.0]]]]
    pictures = some_pictures()
    found = to_signed_range(pictures)
    assert found.shape == (2, 3, 4, 33, 34) and found.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(found, (pictures.permute(0, 4, 1, 2, 3) / 255 - 0.5) * 2)


def test_mean_and_deviation_are_of_the_channels():
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    pictures = some_pictures()
    expected = [(pictures[..., k] / 255 - mean[k]) / std[k] for k in range(3)]
    torch.testing.assert_close(to_unit_range(pictures, mean, std), torch.stack(expected, dim=1))
    torch.testing.assert_close(to_unit_range(pictures), pictures.movedim(-1, 1) / 255)
    assert to_unit_range(pictures[:, 0]).shape == (2, 3, 33, 34)


@pytest.mark.parametrize("normalise", [to_signed_range, to_unit_range])
def test_floats_are_normalised_already(normalise):
    floats = torch.rand(1, 3, 2, 4, 4)
    assert normalise(floats) is floats


@pytest.mark.parametrize(("make", "channels"), [(I3d, 3), (I3d, 2), (Lite0, 3)])
@pytest.mark.parametrize("training", [False, True])
def test_a_network_computes_the_same_bits_of_bytes_and_of_their_floats(make, channels, training):
    """`b / 127.5 - 1` in float32, in this order of operations: results of runs depend on every bit of it."""
    torch.manual_seed(0)
    net = Net({"rgb": make(in_channels=channels, width=0.125)}, num_classes=2).train(training)
    pictures = some_pictures(channels)
    floats = pictures.movedim(-1, 1).float().div(127.5).sub(1).contiguous()
    other = deepcopy(net)
    features = [one.features({"rgb": x})["rgb"] for one, x in ((net, pictures), (other, floats))]
    assert torch.equal(*features)
    for found in features:
        found.square().sum().backward()
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        assert (a.grad is None and b.grad is None) or torch.equal(a.grad, b.grad)
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), other.buffers(), strict=True))
