"""Gradient reversal."""

import pytest
import torch
from test_arguments import plain

from egonorm.core.errors import ArgumentError
from egonorm.losses import gradient_reversal, reverse_gradient


def test_forward_is_the_identity_and_backward_the_negative():
    x = torch.randn(3, 2, requires_grad=True)
    y = reverse_gradient(x, 0.25)
    torch.testing.assert_close(y, x)
    (y * torch.arange(6.0).view(3, 2)).sum().backward()
    torch.testing.assert_close(x.grad, -0.25 * torch.arange(6.0).view(3, 2))


@pytest.mark.parametrize("coefficient", ["x", -1.0, float("nan"), float("inf"), None])
def test_a_coefficient_is_a_number_from_0_on(coefficient):
    with pytest.raises(ArgumentError, match=r"coefficient cannot be used(.|\n)*a finite number, 0 or greater"):
        plain(gradient_reversal).reverse_gradient(torch.ones(2), coefficient)
