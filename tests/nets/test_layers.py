"""Convolutions of few clips: torch's own numbers and gradients, in the order of memory that was given."""

import pytest
import torch
from torch import nn

from egonorm.nets.layers import convolve


@pytest.mark.parametrize("clips", [1, 3, 15, 16])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(
    ("kind", "order", "size"),
    [(nn.Conv2d, torch.channels_last, (6, 7)), (nn.Conv3d, torch.channels_last_3d, (4, 6, 7))],
)
def test_numbers_gradients_and_order(clips, kernel, kind, order, size):
    torch.manual_seed(0)
    conv = kind(8, 16, kernel, padding=kernel // 2).to(memory_format=order)
    x = torch.randn(clips, 8, *size).contiguous(memory_format=order).requires_grad_()
    expected = conv(x)
    found = convolve(x, conv, conv.padding)
    assert found.is_contiguous(memory_format=order)
    torch.testing.assert_close(found, expected)
    wanted = [x, *conv.parameters()]
    ours, theirs = (torch.autograd.grad(y.square().sum(), wanted) for y in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_other_precisions_are_left_to_torch():
    conv = nn.Conv2d(2, 3, 1).double()
    x = torch.randn(2, 2, 5, 5, dtype=torch.float64)
    assert torch.equal(convolve(x, conv, (0, 0)), conv(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert convolve(x.float(), conv.float(), (0, 0)).dtype == torch.bfloat16
